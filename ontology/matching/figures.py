"""Which of several figures counts for a given runtime on a given board."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ontology.facts import QUALITIES, Capacity, Figure, Metric, Need, RuntimeId, Status

_TRUST = {Status.MEASURED: 2, Status.DERIVED: 1, Status.PUBLISHED: 0}

# Of two equally trusted figures the worse one counts: the larger cost, the lower accuracy.
_LARGER_IS_BETTER = frozenset(QUALITIES)


def best_figure(
    figures: Iterable[Figure], metric: Metric, runtime: RuntimeId | None, board: str | None
) -> Figure | None:
    """The figure to believe: measured before derived before published, then the most specific.

    A figure for another runtime or board does not count, and one that names a version or kernels
    counts only where exactly those run. What it leaves empty, it does not depend on.
    """
    counting = (f for f in figures if f.metric is metric and _counts(f, runtime, board))
    return max(counting, key=_preference, default=None)


def _counts(figure: Figure, runtime: RuntimeId | None, board: str | None) -> bool:
    return (
        math.isfinite(figure.value)
        and figure.board in {None, board}
        and (figure.runtime is None or _covers(figure.runtime, runtime))
    )


def _covers(key: RuntimeId, runtime: RuntimeId | None) -> bool:
    return (
        runtime is not None
        and key.name == runtime.name
        and key.version in {"", runtime.version}
        and key.kernels in {"", runtime.kernels}
    )


def _preference(figure: Figure) -> tuple[int, int, float]:
    better = figure.metric in _LARGER_IS_BETTER
    caution = -figure.value if better else figure.value
    return _TRUST[figure.status], _specificity(figure), caution


def _specificity(figure: Figure) -> int:
    runtime = figure.runtime
    parts = (runtime.name, runtime.version, runtime.kernels) if runtime else ()
    return sum(part != "" for part in parts) + (figure.board is not None)


def accuracy_of(need: Need) -> float | None:
    """The variant's own accuracy as a fraction, for ranking: one that is bound to no board.

    Under which interpreter it was measured matters less than having it, so any will do here;
    a limit on accuracy, which is judged for one device, is stricter.
    """
    return _own(need, Metric.ACCURACY)


def quality_of(need: Need) -> float | None:
    """The variant's own figure in the first of QUALITIES that it has one in, as `accuracy_of`."""
    return next((value for each in QUALITIES if (value := _own(need, each)) is not None), None)


def qualities(needs: Sequence[Need]) -> Mapping[str, float | None]:
    """By variant what each does in one measure: the first of QUALITIES that any has a figure in.

    So an R2 is never held against an accuracy.
    """
    found = {each: {need.variant: _own(need, each) for need in needs} for each in QUALITIES}
    known = (each for each in found.values() if any(value is not None for value in each.values()))
    return next(known, found[Metric.ACCURACY])


def _own(need: Need, metric: Metric) -> float | None:
    figures = (replace(f, runtime=None) for f in need.figures if f.board is None)
    figure = best_figure(figures, metric, None, None)
    return figure.value if figure else None


def latency_was_measured(need: Need, capacity: Capacity) -> bool | None:
    """True where somebody took the latency on such a board; a prediction is no measurement.

    None where nobody is known to have.
    """
    taken = [f for f in need.figures if f.status is not Status.DERIVED and f.board is not None]
    found = best_figure(taken, Metric.LATENCY_MS, capacity.runtime, capacity.board)
    return None if found is None else True
