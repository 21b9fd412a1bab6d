"""A variant in MLflow's words: parameters and metrics of its run, tags of its model version."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from ontology.facts import Metric
from orchestrator.compression.search.trials import CALIBRATED_SCORE, RETRAINED_SCORE
from orchestrator.policy.footprints import footprint_of
from registry.formats.tflite import MEDIA_TYPE
from registry.models import Measurement, Variant

NO_TECHNIQUE = "none"
"""A tag of a variant that was made in no special way: MLflow keeps no empty one."""

_OUTCOMES = {"seconds", CALIBRATED_SCORE, RETRAINED_SCORE}
_OF_NETWORK = "float_"
_FOOTPRINT = {Metric.FLASH_BYTES, Metric.ARENA_BYTES, Metric.MACS, Metric.TRAINING_BYTES}
_MAX_TAG = 5000


def variant_params(variant: Variant) -> dict[str, Any]:
    """What was chosen before it was trained, and what it was made from."""
    chosen = {
        name: value
        for name, value in variant.training.items()
        if value is not None and not _is_outcome(name, value)
    }
    return {
        "parent": variant.parent.name if variant.parent else "",
        "how": variant.technique,
        "data": variant.release.data_source,
        "precision": variant.precision,
        **chosen,
    }


def variant_metrics(variant: Variant, data: bytes) -> dict[str, float]:
    """Every figure and outcome; the kernels and the board that it depends on stand in its name.

    `data` is its file, of which the latency on the yardstick is worked out where that is known.
    """
    rows = variant.measurements.select_related("runtime", "board").order_by("id")
    outcomes = {k: float(v) for k, v in variant.training.items() if _is_outcome(k, v)}
    return {
        **_latencies(variant, data),
        **outcomes,
        **{_metric_name(row): row.value for row in rows},
    }


def _is_outcome(name: str, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and (name in _OUTCOMES or name.startswith(_OF_NETWORK))


def _latencies(variant: Variant, data: bytes) -> dict[str, float]:
    if variant.delivered.media_type != MEDIA_TYPE:
        return {}
    found = footprint_of(data).latency_ms
    return {f"{Metric.LATENCY_MS}/{board}": value for board, value in found.items()}


def version_tags(variant: Variant) -> dict[str, str]:
    """What one looks for among versions: digest, technique, footprint, and whose it is."""
    tags = {
        "variant": variant.name,
        "digest": variant.delivered.sha256,
        "release": f"{variant.release.model.name}/{variant.release.number}",
        "technique": variant.technique or NO_TECHNIQUE,
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
