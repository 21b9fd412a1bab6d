"""Many variants on many profiles: the rules of `assess`, each asked once a distinct pair of inputs.

Profiles share firmware and variants share operators, so a constraint has few distinct questions;
sizes, of which every variant may have its own, are compared by numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ontology.facts import Answer, Capacity, Constraint, Need, Verdict
from ontology.matching.rules import RULES, arena_bytes, assess, flash_bytes

Outcomes: TypeAlias = NDArray[np.int8]  # shape (needs, capacities)
Size: TypeAlias = int | None
Item = TypeVar("Item")

FAILS, UNKNOWN, HOLDS = -1, 0, 1
_CODE = {False: FAILS, None: UNKNOWN, True: HOLDS}
_ANSWER = {FAILS: Answer.DOES_NOT_FIT, UNKNOWN: Answer.UNKNOWN, HOLDS: Answer.FITS}


@dataclass(frozen=True, slots=True)
class MatchTable:
    """What came of every pair.

    `holds[constraint]` and `outcomes` are int8 arrays of shape (needs, capacities): 1 holds or
    fits, 0 unknown, -1 fails.
    """

    needs: Sequence[Need]
    capacities: Sequence[Capacity]
    holds: dict[Constraint, Outcomes]
    outcomes: Outcomes

    def answer(self, need: int, capacity: int) -> Answer:
        """The answer of one pair, by position."""
        return _ANSWER[int(self.outcomes[need, capacity])]

    def verdict(self, need: int, capacity: int) -> Verdict:
        """One pair with its reasons, by position; made when asked for."""
        return assess(self.needs[need], self.capacities[capacity])

    def verdicts(self) -> Iterator[Verdict]:
        """Every pair with its reasons, need by need."""
        for need in self.needs:
            for capacity in self.capacities:
                yield assess(need, capacity)


def match_all(needs: Sequence[Need], capacities: Sequence[Capacity]) -> MatchTable:
    """Judge every pair as `assess` does, without making a reason for each."""
    holds = {
        Constraint.FLASH: _sizes(needs, capacities, flash_bytes, lambda c: c.slot_bytes),
        Constraint.RAM: _sizes(needs, capacities, arena_bytes, lambda c: c.arena_budget_bytes),
    }
    for constraint, (of_need, of_capacity) in _QUESTIONS.items():
        rows, row_of = _distinct(needs, of_need)
        columns, column_of = _distinct(capacities, of_capacity)
        holds[constraint] = _ask(constraint, rows, columns)[np.ix_(row_of, column_of)]
    # In this coding Kleene's conjunction is the minimum.
    outcomes = np.minimum.reduce(list(holds.values()))
    return MatchTable(needs, capacities, holds, outcomes)


def _ask(constraint: Constraint, needs: Sequence[Need], capacities: Sequence[Capacity]) -> Outcomes:
    rule = RULES[constraint]
    table = np.empty((len(needs), len(capacities)), dtype=np.int8)
    for row, need in enumerate(needs):
        for column, capacity in enumerate(capacities):
            table[row, column] = _CODE[rule(need, capacity).holds]
    return table


def _distinct(
    items: Sequence[Item], key: Callable[[Item], Hashable]
) -> tuple[list[Item], NDArray[np.intp]]:
    """One item a key, and for every item the place of its representative; shape (items,)."""
    places: dict[Hashable, int] = {}
    representatives: list[Item] = []
    index = np.empty(len(items), dtype=np.intp)
    for position, item in enumerate(items):
        place = places.setdefault(key(item), len(representatives))
        if place == len(representatives):
            representatives.append(item)
        index[position] = place
    return representatives, index


def _sizes(
    needs: Sequence[Need],
    capacities: Sequence[Capacity],
    size_of: Callable[[Need, Capacity], Size],
    limit_of: Callable[[Capacity], Size],
) -> Outcomes:
    """Compare sizes in bytes; what a need is may depend on the runtime and the board alone."""
    targets, target_of = _distinct(capacities, lambda c: (c.runtime, c.board))
    sizes = _numbers(size_of(need, target) for need in needs for target in targets)
    need = sizes.reshape(len(needs), len(targets))[:, target_of]
    have = _numbers(limit_of(capacity) for capacity in capacities)[np.newaxis, :]
    known = ~(np.isnan(need) | np.isnan(have))
    return np.where(known, np.where(need <= have, HOLDS, FAILS), UNKNOWN).astype(np.int8)


def _numbers(values: Iterable[Size]) -> NDArray[np.float64]:
    """Not known is NaN. Bytes up to 2**53 are exact in float64."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _operators(operators: Mapping[str, int] | None) -> frozenset[tuple[str, int]] | None:
    return None if operators is None else frozenset(operators.items())


# The part of a need and of a capacity that each rule over sets looks at.
_QUESTIONS: dict[Constraint, tuple[Callable[[Need], Hashable], Callable[[Capacity], Hashable]]] = {
    Constraint.OPERATORS: (lambda n: _operators(n.operators), lambda c: _operators(c.operators)),
    Constraint.DTYPES: (lambda n: n.dtypes, lambda c: c.dtypes),
    Constraint.SENSORS: (lambda n: n.sensors, lambda c: c.sensors),
    Constraint.RUNTIME: (lambda n: n.runtimes, lambda c: c.runtime),
}
