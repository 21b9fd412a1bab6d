"""What stored artifacts say, read again from their bytes: by a newer reader, or other settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog
from django.db import transaction

from registry.footprint.description import Description, describe
from registry.footprint.figures import derived_figures
from registry.formats.errors import FormatError
from registry.models import Artifact, Variant
from registry.services import measurements
from registry.services.changes import Change, update
from registry.services.networks import read_columns

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AnewReport:
    """How many variants say something else now, and which artifacts could not be read, in words."""

    variants: Counter[Change] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def describe_artifacts() -> AnewReport:
    """Bring every variant that has an artifact up to what its bytes say, and its derived figures.

    What people have stated of a variant, and figures that were measured or published, stay. An
    artifact that cannot be read leaves its variants as they are. One artifact is in memory at a
    time; each is its own transaction.
    """
    report = AnewReport()
    for artifact, description in _descriptions(report):
        with transaction.atomic():
            rows = Variant.objects.filter(artifact=artifact).select_related("release__model")
            report.variants.update(_keep(row, description) for row in rows)
    log.info("artifacts_described", variants=dict(report.variants), problems=len(report.problems))
    return report


def _descriptions(report: AnewReport) -> Iterator[tuple[Artifact, Description]]:
    for artifact in Artifact.objects.filter(variants__isnull=False).distinct().iterator():
        try:
            with artifact.file.open() as file:
                yield artifact, describe(file.read())
        except (FormatError, OSError) as error:
            report.problems.append(f"artifact {artifact.sha256}: {error}")


def _keep(row: Variant, description: Description) -> Change:
    changed = update(row, read_columns(description))
    before = list(row.measurements.values_list("pk", "value", "precision"))
    measurements.record(row, derived_figures(description))
    changed |= before != list(row.measurements.values_list("pk", "value", "precision"))
    return Change.UPDATED if changed else Change.UNCHANGED
