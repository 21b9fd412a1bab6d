"""One constraint asked of many needs and many capacities, as a small table and where it applies."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ontology.facts import Capacity, Constraint, Need
from ontology.matching.columns import (
    CapacityColumns,
    Places,
    Sizes,
    distinct,
    itself,
    operators_key,
)
from ontology.matching.outcomes import CODE, HOLDS, UNKNOWN
from ontology.matching.rules import RULES, arena_bytes, flash_bytes

Outcomes: TypeAlias = NDArray[np.int8]  # shape (needs, capacities) unless stated


@dataclass(frozen=True, slots=True, eq=False)
class SetAnswers:
    """A rule over sets: `table` has shape (distinct needs, distinct capacities)."""

    table: Outcomes
    row_of: Places
    place_of: Places
    kinds: Places

    def by_kind(self, needs: slice) -> Outcomes:
        """The outcomes of a block of needs, shape (needs, kinds)."""
        return self._at(needs, self.place_of[self.kinds])

    def outcomes(self, needs: slice) -> Outcomes:
        """The outcomes of a block of needs on every capacity."""
        return self._at(needs, self.place_of)

    def _at(self, needs: slice, columns: Places) -> Outcomes:
        return self.table.take(self.row_of[needs], axis=0).take(columns, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class SizeAnswers:
    """A size against its limit: `needed` has shape (needs, targets), `limit` (capacities,)."""

    needed: Sizes
    target_of: Places
    limit: Sizes

    def outcomes(self, needs: slice) -> Outcomes:
        """The outcomes of a block of needs; a size or a limit that is NaN is not known."""
        needed = self.needed[needs]
        if needed.shape[1] > 1:
            needed = needed.take(self.target_of, axis=1)
        enough, short = needed <= self.limit, needed > self.limit
        found: Outcomes = enough.view(np.int8) - short.view(np.int8)
        return found


def ask_sets(constraint: Constraint, needs: Sequence[Need], columns: CapacityColumns) -> SetAnswers:
    """Ask a rule over sets once for each distinct pair of what it looks at."""
    part, key = SET_QUESTIONS[constraint]
    rows, row_of = distinct(needs, part, key)
    offered = columns.parts[constraint.value]
    ask = _ask_operators if constraint is Constraint.OPERATORS else _ask_rule
    return SetAnswers(
        ask(constraint, rows, offered.values), row_of, offered.place_of, columns.kinds
    )


def ask_sizes(
    constraint: Constraint, needs: Sequence[Need], columns: CapacityColumns
) -> SizeAnswers:
    """What each need takes on each target, beside what each capacity has."""
    size_of, limit_of = SIZE_QUESTIONS[constraint]
    targets = columns.parts["target"]
    needed = np.empty((len(needs), len(targets.values)), dtype=np.float64)
    runtimes, runtime_of = distinct(targets.values, lambda t: t.runtime, itself)
    for row, need in enumerate(needs):
        if any(figure.board is not None for figure in need.figures):
            needed[row] = [_size(size_of(need, target)) for target in targets.values]
        else:  # then the board does not matter, and there are few runtimes
            found = np.array([_size(size_of(need, target)) for target in runtimes])
            needed[row] = found[runtime_of]
    return SizeAnswers(needed, targets.place_of, limit_of(columns))


def _size(value: int | None) -> float:
    return np.nan if value is None else value


def _ask_rule(
    constraint: Constraint, needs: Sequence[Need], capacities: Sequence[Capacity]
) -> Outcomes:
    rule = RULES[constraint]
    found = [[CODE[rule(need, capacity).holds] for capacity in capacities] for need in needs]
    return np.array(found, dtype=np.int8).reshape(len(needs), len(capacities))


def _ask_operators(
    constraint: Constraint, needs: Sequence[Need], capacities: Sequence[Capacity]
) -> Outcomes:
    """As the rule, over a matrix of versions: every variant may have its own set of operators."""
    known = np.array([capacity.operators is not None for capacity in capacities], dtype=bool)
    names = sorted({name for need in needs for name in need.operators or ()})
    place = {name: number for number, name in enumerate(names)}
    offers = [capacity.operators or {} for capacity in capacities]
    offered = np.array([[offer.get(n, 0) for n in names] for offer in offers], dtype=np.int64)
    offered = offered.reshape(len(capacities), len(names))
    table = np.full((len(needs), len(capacities)), UNKNOWN, dtype=np.int8)
    for row, need in enumerate(needs):
        if need.operators is None:
            continue
        wanted = [place[name] for name in need.operators]
        versions = np.fromiter(need.operators.values(), np.int64, len(wanted))
        enough = (offered[:, wanted] >= versions).all(axis=1)
        judged = enough.view(np.int8) * 2 - HOLDS
        table[row] = np.where(known, judged, UNKNOWN) if wanted else HOLDS
    return table


# The part of a need that each rule over sets looks at; its part of a capacity bears its name.
SET_QUESTIONS: Mapping[Constraint, tuple[Callable[[Need], Any], Callable[[Any], Hashable]]] = {
    Constraint.OPERATORS: (lambda n: n.operators, operators_key),
    Constraint.DTYPES: (lambda n: n.dtypes, itself),
    Constraint.SENSORS: (lambda n: n.sensors, itself),
    Constraint.RUNTIME: (lambda n: n.runtimes, itself),
}
# What a need takes, which may depend on the runtime and the board alone, and what there is of it.
SIZE_QUESTIONS: Mapping[
    Constraint,
    tuple[Callable[[Need, Capacity], int | None], Callable[[CapacityColumns], Sizes]],
] = {
    Constraint.FLASH: (flash_bytes, lambda columns: columns.slot_bytes),
    Constraint.RAM: (arena_bytes, lambda columns: columns.arena_budget_bytes),
}
