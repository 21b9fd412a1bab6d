"""Figures with their provenance, recorded once each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction

from ontology.facts import Figure, Metric, RuntimeId
from registry.models import BoardType, Device, Measurement, Runtime, Variant
from registry.projection.conflicts import conflicting
from registry.services.changes import update

__all__ = ["UNITS", "conflicting", "record", "runtime_row"]

UNITS: Mapping[Metric, str] = {
    Metric.ARENA_BYTES: "B",
    Metric.FLASH_BYTES: "B",
    Metric.TRAINING_BYTES: "B",
    Metric.LATENCY_MS: "ms",
    Metric.ENERGY_MJ: "mJ",
    Metric.ACCURACY: "1",
    Metric.INSTRUCTIONS: "",
    Metric.MACS: "MAC",
    Metric.PARAMETERS: "",
    Metric.TOP5_ACCURACY: "1",
    Metric.AUC: "1",
    Metric.SCORE: "1",
    Metric.ANGULAR_ERROR_DEG: "°",
    Metric.PSNR_DB: "dB",
    Metric.FRAME_RATE_HZ: "1/s",
    Metric.TOKENS_PER_S: "1/s",
    Metric.FIRST_TOKEN_MS: "ms",
    Metric.R2: "1",
}


@transaction.atomic
def record(
    variant: Variant, figures: Iterable[Figure], *, device: Device | None = None, note: str = ""
) -> list[Measurement]:
    """Store figures of one variant; a figure of the same key, status and source is replaced.

    Figures from different sources stand side by side; `note` is what the source adds. Raises
    BoardType.DoesNotExist for a board that the catalogue lacks.
    """
    return [_record_one(variant, figure, device, note) for figure in figures]


def _record_one(variant: Variant, figure: Figure, device: Device | None, note: str) -> Measurement:
    """The row of a figure; one that says so already is not written, so nothing is projected."""
    key = {
        "variant": variant,
        "device": device,
        "board": BoardType.objects.get(slug=figure.board) if figure.board else None,
        "runtime": runtime_row(figure.runtime) if figure.runtime else None,
        "metric": figure.metric.value,
        "dataset": figure.dataset,
        "conditions": figure.conditions,
        "status": figure.status.value,
        "source": figure.source,
    }
    values = {
        "value": figure.value,
        "unit": UNITS[figure.metric],
        "precision": variant.precision,
        "error": figure.error,
        **({"note": note} if note else {}),
    }
    row, created = Measurement.objects.get_or_create(**key, defaults=values)
    if not created:
        update(row, values)
    return row


def runtime_row(runtime: RuntimeId, source: str = "") -> Runtime:
    """The row of a runtime; one without a version stands for every version of those kernels.

    `source` is who names it, for a row that is new.
    """
    row, _ = Runtime.objects.get_or_create(
        name=runtime.name,
        version=runtime.version,
        kernels=runtime.kernels,
        defaults={"source": source if runtime.version else "stands for every version"},
    )
    return row
