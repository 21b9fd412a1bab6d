"""Which values each tensor of a network takes: the ranges that int8 steps are spread over.

Two rules, from one pass over the calibration samples. The widest range cuts nothing off. The
average of every sample's range leaves rare extremes out, which often serves a classifier better;
but of a tensor with one value it leaves almost nothing, since each sample's least is its most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import numpy as np


class RangeRule(StrEnum):
    """NEAREST tries both on the calibration samples and keeps what answers most like the floats."""

    WIDEST = "widest"
    AVERAGED = "averaged"
    NEAREST = "nearest"


class NotFinite(ValueError):
    """A tensor takes values that no range holds."""


Range = dict[str, Any]
Ranges = dict[str, Range]

_SILENT = 1e-6
_AVERAGE = ("average_min", "average_max")


def observed(
    float_model: bytes, rules: Sequence[Mapping[str, Any]], steps: Mapping[str, Any]
) -> dict[RangeRule, Ranges]:
    """The widest and the averaged range of every tensor that `rules` quantize.

    Raises NotFinite for a tensor that is not a number, or has no end, for some sample.
    """
    from ai_edge_quantizer import calibrator, recipe_manager

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(list(rules))
    watching = calibrator.Calibrator(float_model, num_threads=1, qsv_update_func=_both(_average()))
    watching.calibrate(steps, manager)
    seen = watching.get_model_qsvs()
    for name, found in seen.items():
        if not all(np.isfinite(end).all() for end in found.values()):
            raise NotFinite(name)
    return {
        RangeRule.WIDEST: {name: _audible(_without_average(found)) for name, found in seen.items()},
        RangeRule.AVERAGED: {name: _audible(_averaged(found)) for name, found in seen.items()},
    }


def _average() -> Callable[[Range, Range], Range]:
    from ai_edge_quantizer.utils import qsv_utils

    return qsv_utils.moving_average_update


def _both(average: Callable[[Range, Range], Range]) -> Callable[[Range, Range], Range]:
    def update(known: Range, new: Range) -> Range:
        if not known or "min" not in new:
            return known or new
        averaged = average(_averaged(known), new)
        return {
            "min": np.minimum(known["min"], new["min"]),
            "max": np.maximum(known["max"], new["max"]),
            **dict(zip(_AVERAGE, (averaged["min"], averaged["max"]), strict=True)),
        }

    return update


def _averaged(found: Range) -> Range:
    if _AVERAGE[0] not in found:
        return found
    return {"min": found[_AVERAGE[0]], "max": found[_AVERAGE[1]]}


def _audible(found: Range) -> Range:
    """Any range serves a tensor that is always zero, as behind dead rectifiers, but an empty one:
    by its scale of nothing the next layer's bias does not fit into its 32 bits."""
    if "min" not in found:
        return found
    is_silent = np.maximum(np.abs(found["min"]), np.abs(found["max"])) < _SILENT
    return {**found, "max": np.where(is_silent, np.float32(1), found["max"])}


def _without_average(found: Range) -> Range:
    return {key: value for key, value in found.items() if key not in _AVERAGE}
