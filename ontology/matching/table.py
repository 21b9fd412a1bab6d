"""Many variants on many profiles: the rules of `assess`, each asked once a distinct pair of inputs.

What came of a question stays a small table beside its rows and columns; a whole matrix is made in
blocks, and only the one that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ontology.facts import Answer, Capacity, Constraint, Need, Verdict
from ontology.matching.answers import (
    SET_QUESTIONS,
    SIZE_QUESTIONS,
    Outcomes,
    ask_sets,
    ask_sizes,
)
from ontology.matching.columns import CapacityColumns, Places
from ontology.matching.outcomes import FAILS, HOLDS, UNKNOWN
from ontology.matching.rules import assess

__all__ = ["FAILS", "HOLDS", "UNKNOWN", "MatchTable", "match_all"]

OfBlock: TypeAlias = Callable[[slice], Outcomes]  # of a block of needs

_ANSWER = {FAILS: Answer.DOES_NOT_FIT, UNKNOWN: Answer.UNKNOWN, HOLDS: Answer.FITS}
_PAIRS_AT_ONCE = 1 << 18  # a block's columns of eight bytes stay within a processor's cache


class MatchTable:
    """What came of every pair; made by `match_all`.

    `holds[constraint]` and `outcomes` are int8 arrays of shape (needs, capacities): 1 holds or
    fits, 0 unknown, -1 fails. Both are made when first asked for, then kept.
    """

    def __init__(
        self,
        needs: Sequence[Need],
        columns: CapacityColumns,
        only: Collection[Constraint] | None = None,
    ) -> None:
        self.needs = needs
        self.columns = columns
        self.only = only
        sets, sizes = _asked(SET_QUESTIONS, only), _asked(SIZE_QUESTIONS, only)
        self._sets = {c: ask_sets(c, needs, columns) for c in sets}
        self._sizes = {c: ask_sizes(c, needs, columns) for c in sizes}

    @property
    def capacities(self) -> Sequence[Capacity]:
        """The capacities, in the order of the columns."""
        return self.columns.capacities

    @cached_property
    def outcomes(self) -> NDArray[np.int8]:
        """The answer of every pair; in this coding Kleene's conjunction is the minimum."""
        return self._whole(self._outcomes)

    @cached_property
    def holds(self) -> dict[Constraint, Outcomes]:
        """The outcome of every constraint on every pair."""
        outcomes_of = {c: each.outcomes for c, each in self._sizes.items()}
        outcomes_of |= {c: each.outcomes for c, each in self._sets.items()}
        return {c: self._whole(of_block) for c, of_block in outcomes_of.items()}

    def fitting(self, need: int) -> Places:
        """The places of the capacities that a need fits."""
        return np.flatnonzero(self.outcomes[need] == HOLDS)

    def answer(self, need: int, capacity: int) -> Answer:
        """The answer of one pair, by position."""
        return _ANSWER[int(self.outcomes[need, capacity])]

    def verdict(self, need: int, capacity: int) -> Verdict:
        """One pair with its reasons, by position; made when asked for."""
        return assess(self.needs[need], self.capacities[capacity], only=self.only)

    def verdicts(self) -> Iterator[Verdict]:
        """Every pair with its reasons, need by need."""
        for need in self.needs:
            for capacity in self.capacities:
                yield assess(need, capacity, only=self.only)

    def _outcomes(self, needs: slice) -> Outcomes:
        """Sets by kind first, of which there are fewer; then the sizes by capacity."""
        found: Outcomes = self._outcomes_of_sets(needs)
        for each in self._sizes.values():
            np.minimum(found, each.outcomes(needs), out=found)
        return found

    def _outcomes_of_sets(self, needs: slice) -> Outcomes:
        sets = [each.by_kind(needs) for each in self._sets.values()]
        if not sets:
            return np.full((len(self.needs[needs]), len(self.columns)), HOLDS, dtype=np.int8)
        by_kind: Outcomes = np.minimum.reduce(sets)
        found: Outcomes = by_kind.take(self.columns.kind_of, axis=1)
        return found

    def _whole(self, outcomes_of: OfBlock) -> Outcomes:
        whole = np.empty((len(self.needs), len(self.columns)), dtype=np.int8)
        rows = max(1, _PAIRS_AT_ONCE // max(1, len(self.columns)))
        for start in range(0, len(self.needs), rows):
            block = slice(start, start + rows)
            whole[block] = outcomes_of(block)
        return whole


def _asked(
    questions: Iterable[Constraint], only: Collection[Constraint] | None
) -> list[Constraint]:
    return [constraint for constraint in questions if only is None or constraint in only]


def match_all(
    needs: Sequence[Need],
    capacities: Sequence[Capacity] | CapacityColumns,
    only: Collection[Constraint] | None = None,
) -> MatchTable:
    """Judge every pair as `assess` does, without making a reason for each.

    Who judges again and again gives the columns, which are worked out once. With `only`, no other
    constraint is judged.
    """
    if not isinstance(capacities, CapacityColumns):
        capacities = CapacityColumns.of(capacities)
    return MatchTable(needs, capacities, only)
