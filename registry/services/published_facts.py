"""What publications say, checked: models with their figures, techniques, works that are cited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ontology.facts import Figure, Metric, RuntimeId


@dataclass(frozen=True, slots=True)
class PlatformEntry:
    """Hardware that figures were taken on; memory is in bytes, the clock in hertz."""

    slug: str
    name: str
    vendor: str
    mcu: str
    core: str
    source: str
    clock_hz: int | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class FigureEntry:
    """One figure with what its source says beside it; an empty precision is the variant's own."""

    figure: Figure
    precision: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class RemarkEntry:
    """What a source says on a target in place of a figure."""

    text: str
    source: str
    board: str | None = None
    runtime: RuntimeId | None = None


@dataclass(frozen=True, slots=True)
class VariantEntry:
    """One network under the name by which people know it."""

    name: str
    precision: str = ""
    parent: str = ""
    technique: str = ""
    shape: Mapping[str, Any] = field(default_factory=dict)
    convolutions: tuple[Mapping[str, int], ...] = ()
    figures: tuple[FigureEntry, ...] = ()
    remarks: tuple[RemarkEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A family of networks for one task; traits are preconditions that hold of it, or do not."""

    name: str
    task: str
    source: str
    variants: tuple[VariantEntry, ...]
    language_model: bool | None = None
    traits: Mapping[str, bool] = field(default_factory=dict)
    traits_source: str = ""


@dataclass(frozen=True, slots=True)
class TechniqueEntry:
    """A technique in the words of its source, with the preconditions that are judged."""

    slug: str
    name: str
    kind: str
    applies_to: str
    condition: str
    preconditions: tuple[str, ...]
    achieved: str
    source: str


@dataclass(frozen=True, slots=True)
class CitedWorkEntry:
    """A work that is cited and matched to nothing."""

    slug: str
    title: str
    source: str
    out_of_scope_because: str


@dataclass(frozen=True, slots=True)
class FigureName:
    """Which figure is meant, by where it stands and who says it."""

    model: str
    variant: str
    metric: Metric
    source: str


@dataclass(frozen=True, slots=True)
class DisputeEntry:
    """Two figures that are said to contradict each other, though no rule can see it."""

    first: FigureName
    second: FigureName


@dataclass(frozen=True, slots=True)
class PublishedFacts:
    """All entries of a folder, by section."""

    platforms: tuple[PlatformEntry, ...] = ()
    models: tuple[ModelEntry, ...] = ()
    techniques: tuple[TechniqueEntry, ...] = ()
    cited_works: tuple[CitedWorkEntry, ...] = ()
    disputes: tuple[DisputeEntry, ...] = ()
