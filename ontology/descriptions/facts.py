"""What a description says of one device or one network. Sizes are bytes; None is not known."""

from __future__ import annotations

from dataclasses import dataclass

from ontology.descriptions.terms import Mend


@dataclass(frozen=True, slots=True, order=True)
class DescribedForm:
    """Where something is done, by which operations, in small letters, and as what it is told."""

    target: str
    operations: tuple[str, ...] = ()
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class DescribedAffordance:
    """A property, action or event of a thing."""

    kind: str
    name: str
    description: str = ""
    forms: tuple[DescribedForm, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedDevice:
    """A unit: the memory that is free for networks, the kinds of its sensors, what it offers."""

    iri: str
    name: str
    description: str = ""
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    sensors: tuple[str, ...] | None = None
    affordances: tuple[DescribedAffordance, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedLayer:
    """A layer, its names being the local ones of the TinyML schema, such as Conv2D."""

    kind: str
    activation: str = ""
    precision: str = ""
    shape_in: tuple[int, ...] | None = None
    shape_out: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Credits:
    """Who made a network, when, and where it is told of: words or addresses."""

    creator: str = ""
    dated: str = ""
    citation: str = ""


@dataclass(frozen=True, slots=True)
class DescribedNetwork:
    """A network with its published figures; `accuracy` is a fraction.

    `category` is the local name of one of the TinyML schema's categories, such as Classification;
    `data_source` an address or words; `runtimes` the interpreters that it is said to run on;
    `layers` stand in their order.
    """

    iri: str
    name: str
    description: str = ""
    category: str = ""
    data_source: str = ""
    credits: Credits = Credits()
    precision: str = ""
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    macs: int | None = None
    accuracy: float | None = None
    sensors: tuple[str, ...] | None = None
    runtimes: tuple[str, ...] | None = None
    layers: tuple[DescribedLayer, ...] = ()


@dataclass(frozen=True, slots=True)
class Descriptions:
    """All that was read, in the order of the IRIs, and what had to be mended for it."""

    devices: tuple[DescribedDevice, ...]
    networks: tuple[DescribedNetwork, ...]
    mends: tuple[Mend, ...]
