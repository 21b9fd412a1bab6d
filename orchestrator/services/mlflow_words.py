"""A variant in MLflow's words: metrics of its run, tags of its model version."""

from __future__ import annotations

from django.conf import settings

from ontology.facts import Metric
from registry.models import Measurement, Variant

_FOOTPRINT = {Metric.FLASH_BYTES, Metric.ARENA_BYTES, Metric.MACS, Metric.TRAINING_BYTES}
_MAX_TAG = 5000


def variant_metrics(variant: Variant) -> dict[str, float]:
    """Every figure; the kernels and the board that it depends on stand in its name."""
    rows = variant.measurements.select_related("runtime", "board").order_by("id")
    return {_metric_name(row): row.value for row in rows}


def version_tags(variant: Variant) -> dict[str, str]:
    """What one looks for among versions: digest, technique, footprint, and whose it is."""
    tags = {
        "variant": variant.name,
        "digest": variant.delivered.sha256,
        "release": f"{variant.release.model.name}/{variant.release.number}",
        "technique": variant.technique,
        "precision": variant.precision,
        "tinyfleet.installation": settings.INSTALLATION_ID,
        **_footprint(variant),
    }
    return {name: value[:_MAX_TAG] for name, value in tags.items() if value}


def _footprint(variant: Variant) -> dict[str, str]:
    rows = variant.measurements.filter(metric__in=_FOOTPRINT, device=None)
    figures = rows.select_related("runtime", "board").order_by("id")
    return {_metric_name(row): f"{row.value:.0f}" for row in figures}


def _metric_name(row: Measurement) -> str:
    kernels = f"_{row.runtime.kernels}" if row.runtime and row.runtime.kernels else ""
    board = f"/{row.board.slug}" if row.board else ""
    return f"{row.metric}{kernels}{board}"
