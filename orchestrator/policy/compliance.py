"""How a device stands to what it ought to run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """BEST runs the best variant that fits it; BEHIND another of the same model; WITHOUT none of
    it, though one fits; UNFIT is one that nothing of the release fits."""

    BEST = "best"
    BEHIND = "behind"
    WITHOUT = "without"
    UNFIT = "unfit"


@dataclass(frozen=True, slots=True)
class Running:
    """A variant: the digest of its bytes, its model, and its accuracy as a fraction if known."""

    digest: str
    model: int
    accuracy: float | None = None


def standing(runs: Running | None, best: Running | None) -> Standing:
    """Where a device stands that runs one variant and would be given another."""
    if best is None:
        return Standing.UNFIT
    if runs is not None and runs.digest == best.digest:
        return Standing.BEST
    if runs is not None and runs.model == best.model:
        return Standing.BEHIND
    return Standing.WITHOUT


def gain(runs: Running | None, best: Running | None) -> float | None:
    """By how much it would be more accurate; None where either figure is not known."""
    if runs is None or best is None or runs.accuracy is None or best.accuracy is None:
        return None
    return best.accuracy - runs.accuracy
