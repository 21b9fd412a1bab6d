"""Figures that contradict each other: both are kept, and both are flagged."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations

from ontology.facts import Figure, Status

# Figures are printed rounded; what is closer together than this says the same.
TOLERANCE = 0.01

# A derived figure is a prediction: that it differs from what was seen is no contradiction.
_SEEN = frozenset({Status.MEASURED, Status.PUBLISHED})


def conflicts(figures: Sequence[Figure]) -> Iterator[tuple[int, int]]:
    """The places of each two figures of one variant that cannot both be right.

    Two that were seen, by different sources, for the same metric, target, dataset and conditions,
    and that are further apart than TOLERANCE of the larger one.
    """
    places: dict[Hashable, list[int]] = defaultdict(list)
    for place, figure in enumerate(figures):
        if figure.status in _SEEN and math.isfinite(figure.value):
            places[_claim(figure)].append(place)
    for alike in places.values():
        for first, second in combinations(alike, 2):
            if _contradict(figures[first], figures[second]):
                yield first, second


def _claim(figure: Figure) -> Hashable:
    return figure.metric, figure.runtime, figure.board, figure.dataset, figure.conditions


def _contradict(first: Figure, second: Figure) -> bool:
    larger = max(abs(first.value), abs(second.value))
    apart = abs(first.value - second.value)
    return first.source != second.source and apart > TOLERANCE * larger
