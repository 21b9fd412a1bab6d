"""Published facts become rows: reference models with their figures, techniques, cited works.

Reference models are yardsticks. They stand apart from the models of the installation: they are
matched and listed only where somebody asks for them, and nothing of them is ever sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Model

from registry.models import (
    BoardType,
    CitedWork,
    RegisteredModel,
    Release,
    Technique,
    Variant,
)
from registry.services.catalogue import (
    CATALOGUE_DIR,
    CatalogueError,
    CatalogueReport,
    Change,
    load_catalogue,
)
from registry.services.published_entries import read_published
from registry.services.published_facts import (
    ModelEntry,
    PlatformEntry,
    PublishedFacts,
    VariantEntry,
)
from registry.services.published_figures import Targets, load_disputes, load_figures, load_remarks

__all__ = [
    "PUBLISHED_DIR",
    "CatalogueError",
    "PublishedReport",
    "load_catalogue_with_published",
    "load_published",
]

log = structlog.get_logger(__name__)

PUBLISHED_DIR = CATALOGUE_DIR / "published"


@dataclass(frozen=True, slots=True)
class PublishedReport:
    """How many rows of each kind were created, updated and left unchanged."""

    platforms: Counter[Change] = field(default_factory=Counter)
    variants: Counter[Change] = field(default_factory=Counter)
    figures: Counter[Change] = field(default_factory=Counter)
    techniques: Counter[Change] = field(default_factory=Counter)
    cited_works: Counter[Change] = field(default_factory=Counter)


def load_catalogue_with_published(
    directory: Path = CATALOGUE_DIR,
) -> tuple[CatalogueReport, PublishedReport]:
    """Both the hardware of a folder and what the folder `published` in it says; or neither."""
    with transaction.atomic():
        hardware = load_catalogue(directory)
        return hardware, load_published(directory / PUBLISHED_DIR.name)


def load_published(directory: Path = PUBLISHED_DIR) -> PublishedReport:
    """Bring reference models, techniques and cited works up to the files; other rows stay.

    Loading the same files again changes nothing. Raises CatalogueError, and changes nothing, where
    a file breaks a rule, names a board that the catalogue lacks, or a model of the installation.
    """
    facts = read_published(directory)
    report = PublishedReport()
    with transaction.atomic():
        report.platforms.update(map(_load_platform, facts.platforms))
        _check_boards(facts)
        targets = Targets()
        for model in facts.models:
            _load_model(model, targets, report)
        load_disputes(facts.disputes)
        report.techniques.update(_load(Technique, asdict(entry)) for entry in facts.techniques)
        report.cited_works.update(_load(CitedWork, asdict(entry)) for entry in facts.cited_works)
    log.info("published_facts_loaded", variants=dict(report.variants), figures=dict(report.figures))
    return report


def _load_platform(entry: PlatformEntry) -> Change:
    return _load(BoardType, asdict(entry))


def _check_boards(facts: PublishedFacts) -> None:
    known = set(BoardType.objects.values_list("slug", flat=True))
    for model in facts.models:
        for variant in model.variants:
            named = {entry.figure.board for entry in variant.figures}
            named |= {remark.board for remark in variant.remarks}
            missing = sorted(board for board in named if board is not None and board not in known)
            if missing:
                rule = f"{variant.name} names the board {missing[0]!r}, which the catalogue lacks"
                raise CatalogueError("published facts", f"model {model.name}", rule)


def _load_model(entry: ModelEntry, targets: Targets, report: PublishedReport) -> None:
    release = _release(entry)
    for variant in entry.variants:
        row, change = _variant(release, variant)
        figures = load_figures(row, variant, targets)
        remarks = load_remarks(row, variant.remarks, targets)
        touched = any(figures[kind] for kind in (Change.CREATED, Change.UPDATED)) or remarks
        changed = change is Change.UNCHANGED and touched
        report.variants[Change.UPDATED if changed else change] += 1
        report.figures.update(figures)


def _release(entry: ModelEntry) -> Release:
    """Everything published of a model is one release of it."""
    own = RegisteredModel.objects.filter(name=entry.name, reference=False)
    if own.exists():
        rule = "a model of this installation has this name; rename one of the two"
        raise CatalogueError("published facts", f"model {entry.name}", rule)
    model, _ = RegisteredModel.objects.get_or_create(name=entry.name, reference=True)
    facts = {
        "task": entry.task,
        "language_model": entry.language_model,
        "traits": dict(entry.traits),
        "traits_source": entry.traits_source,
    }
    _save_if_changed(model, facts)
    release, _ = Release.objects.get_or_create(model=model, number=1)
    _save_if_changed(release, {"notes": f"as published: {entry.source}"})
    return release


def _variant(release: Release, entry: VariantEntry) -> tuple[Variant, Change]:
    parent = release.variants.filter(name=entry.parent).first() if entry.parent else None
    row = release.variants.filter(name=entry.name).first()
    created = row is None
    row = row or Variant(release=release, name=entry.name)
    facts: dict[str, Any] = {
        "precision": entry.precision,
        "parent": parent,
        "technique": entry.technique,
        "description": _description(entry),
    }
    changed = _save_if_changed(row, facts)
    unchanged = Change.UPDATED if changed else Change.UNCHANGED
    return row, Change.CREATED if created else unchanged


def _description(entry: VariantEntry) -> dict[str, Any]:
    """What its source says of its form; the keys of a file's description stay free."""
    published: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in entry.shape.items()
    }
    if entry.convolutions:
        published["convolutions"] = [dict(each) for each in entry.convolutions]
    return {"published": published} if published else {}


def _load(
    kind: type[Technique] | type[CitedWork] | type[BoardType], facts: dict[str, Any]
) -> Change:
    """A row that goes by its slug."""
    plain = {key: list(v) if isinstance(v, tuple) else v for key, v in facts.items()}
    row = kind.objects.filter(slug=plain["slug"]).first()
    if row is None:
        kind.objects.create(**plain)
        return Change.CREATED
    return Change.UPDATED if _save_if_changed(row, plain) else Change.UNCHANGED


def _save_if_changed(row: Model, facts: Mapping[str, Any]) -> bool:
    changed = {name: value for name, value in facts.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    if changed or row.pk is None:
        row.save()
    return bool(changed)
