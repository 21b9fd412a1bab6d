"""What a description says of one device or one network. Sizes are bytes; None is not known."""

from __future__ import annotations

from dataclasses import dataclass

from ontology.descriptions.terms import Mend


@dataclass(frozen=True, slots=True)
class DescribedDevice:
    """A unit with the memory that is free for networks, and the kinds of its sensors."""

    iri: str
    name: str
    description: str = ""
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    sensors: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class DescribedNetwork:
    """A network with its published figures; `accuracy` is a fraction.

    `category` is the local name of one of the TinyML schema's categories, such as Classification;
    `data_source` an address or words; `origin` who made it, when, and where it is told of;
    `runtimes` the interpreters that it is said to run on.
    """

    iri: str
    name: str
    description: str = ""
    category: str = ""
    data_source: str = ""
    origin: str = ""
    precision: str = ""
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    macs: int | None = None
    accuracy: float | None = None
    sensors: tuple[str, ...] | None = None
    runtimes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Descriptions:
    """All that was read, in the order of the IRIs, and what had to be mended for it."""

    devices: tuple[DescribedDevice, ...]
    networks: tuple[DescribedNetwork, ...]
    mends: tuple[Mend, ...]
