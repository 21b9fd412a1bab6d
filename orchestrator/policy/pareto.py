"""Which candidates no other one makes needless: at least as good everywhere, better somewhere.

V. Pareto's order as in K. Miettinen, "Nonlinear Multiobjective Optimization" (1999), definition
2.2.1: here the better score is better, and the smaller in flash, RAM and latency.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """One candidate. More of a score is better; a RAM or latency that is not known counts as worst.

    So a figure that is missing never puts anybody onto the front at the cost of one that is known.
    """

    name: str
    score: float
    flash_bytes: int
    ram_bytes: int | None
    latency_ms: float | None


def dominates(one: Point, other: Point) -> bool:
    """Whether `one` is at least as good in everything and better in something."""
    mine, theirs = _costs(one), _costs(other)
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))


def front(points: Iterable[Point]) -> list[Point]:
    """Those that no other dominates, the smallest file first; equal ones all stay."""
    ordered = sorted(points, key=lambda point: (*_costs(point), point.name))
    kept: list[Point] = []
    for point in ordered:  # whoever dominates stands before whom it dominates
        if not any(dominates(other, point) for other in kept):
            kept.append(point)
    return sorted(kept, key=lambda point: (point.flash_bytes, point.score, point.name))


def best_per_flash(points: Sequence[Point]) -> list[Point]:
    """The steps of score over flash alone, as a plot draws them: each better than all smaller
    ones."""
    steps: list[Point] = []
    for point in sorted(points, key=lambda each: (each.flash_bytes, -each.score)):
        if not steps or point.score > steps[-1].score:
            steps.append(point)
    return steps


def _costs(point: Point) -> tuple[float, float, float, float]:
    """Less is better in each."""
    ram = math.inf if point.ram_bytes is None else point.ram_bytes
    latency = math.inf if point.latency_ms is None else point.latency_ms
    return (-point.score, point.flash_bytes, ram, latency)
