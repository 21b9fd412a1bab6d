"""Latency and energy worked out for a target from instructions, where nobody has measured them."""

from __future__ import annotations

from collections.abc import Iterator

from ontology.facts import Capacity, Figure, Metric, Need, Pace, Status
from ontology.matching.figures import best_figure


def figure_for(need: Need, capacity: Capacity, metric: Metric) -> Figure | None:
    """The figure to believe on this target, stored or worked out: see `best_figure`."""
    figures = (*need.figures, *worked_out(need, capacity, metric))
    return best_figure(figures, metric, capacity.runtime, capacity.board)


def worked_out(need: Need, capacity: Capacity, metric: Metric) -> Iterator[Figure]:
    """The derived figure of latency or energy that follows from the instructions; else none."""
    pace = capacity.pace
    if pace is None or metric not in {Metric.LATENCY_MS, Metric.ENERGY_MJ}:
        return
    counted = [figure for figure in need.figures if figure.conditions == pace.conditions]
    instructions = best_figure(counted, Metric.INSTRUCTIONS, capacity.runtime, capacity.board)
    if instructions is None:
        return
    value, error = latency_ms(instructions.value, pace), pace.error
    if metric is Metric.ENERGY_MJ:
        if pace.power_mw is None:
            return
        value, error = energy_mj(value, pace)
    source = f"instructions ({instructions.source}), at the pace of the core: {pace.source}"
    runtime = instructions.runtime
    yield Figure(metric, value, Status.DERIVED, source, runtime, capacity.board, error=error)


def latency_ms(instructions: float, pace: Pace) -> float:
    """Milliseconds of so many predicted instructions."""
    return _rounded(instructions * pace.instruction_ns / 1e6)


def energy_mj(milliseconds: float, pace: Pace) -> tuple[float, float]:
    """Millijoules of so much time, with their relative error; for a pace with a known power."""
    assert pace.power_mw is not None
    error = (1 + pace.error) * (1 + pace.power_error) - 1
    return _rounded(milliseconds * pace.power_mw / 1e3), round(error, 3)


def _rounded(value: float) -> float:
    """Four digits: more would say more than the error allows."""
    return float(f"{value:.4g}")
