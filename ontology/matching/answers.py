"""One constraint asked of many needs and many capacities, as a small table and where it applies."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ontology.facts import Capacity, Constraint, Metric, Need
from ontology.matching.columns import (
    CapacityColumns,
    Distinct,
    Places,
    Sizes,
    distinct,
    itself,
    operators_key,
    sizes,
)
from ontology.matching.outcomes import CODE, FAILS, HOLDS, UNKNOWN
from ontology.matching.rules import RULES, arena_bytes, flash_bytes

_REMEMBERED_QUESTIONS = 10_000

Outcomes: TypeAlias = NDArray[np.int8]  # shape (needs, capacities) unless stated


@dataclass(frozen=True, slots=True, eq=False)
class SetAnswers:
    """A rule over sets: `table` has shape (distinct needs, distinct capacities)."""

    table: Outcomes
    row_of: Places
    offered: Distinct

    def by_kind(self, needs: slice) -> Outcomes:
        """The outcomes of a block of needs, shape (needs, kinds)."""
        return self._at(needs, self.offered.kind_place_of)

    def outcomes(self, needs: slice) -> Outcomes:
        """The outcomes of a block of needs on every capacity."""
        return self._at(needs, self.offered.place_of)

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
    if constraint is Constraint.OPERATORS:
        table = _ask_operators(rows, columns)
    else:
        table = _ask_rule(constraint, rows, columns)
    return SetAnswers(table, row_of, columns.parts[constraint.value])


def ask_sizes(
    constraint: Constraint, needs: Sequence[Need], columns: CapacityColumns
) -> SizeAnswers:
    """What each need takes on each target, beside what each capacity has."""
    targets = columns.parts["target"]
    needed = np.empty((len(needs), len(targets.values)), dtype=np.float64)
    for row, need in zip(needed, needs, strict=True):
        row[:] = needed_sizes(constraint, need, columns)
    if _is_one_size(needed):
        needed = needed[:, :1]
    _, _, limit_of = SIZE_QUESTIONS[constraint]
    return SizeAnswers(needed, targets.place_of, limit_of(columns))


def needed_sizes(constraint: Constraint, need: Need, columns: CapacityColumns) -> Sizes:
    """What a need takes: one size where it is the same everywhere, else one for each target."""
    size_of, metric, _ = SIZE_QUESTIONS[constraint]
    figures = [figure for figure in need.figures if figure.metric is metric]
    if any(figure.board is not None for figure in figures):
        return sizes(size_of(need, target) for target in columns.targets)
    if any(figure.runtime is not None for figure in figures):
        by_runtime = sizes(size_of(need, target) for target in columns.target_runtimes)
        return by_runtime[columns.target_runtime_of]
    return sizes(size_of(need, target) for target in columns.targets[:1])


def _is_one_size(needed: Sizes) -> bool:
    """Whether no need differs by target; one that is not known for some does."""
    return needed.shape[1] > 0 and bool((needed == needed[:, :1]).all())


def _ask_rule(constraint: Constraint, needs: Sequence[Need], columns: CapacityColumns) -> Outcomes:
    table = np.empty((len(needs), len(columns.parts[constraint.value].values)), dtype=np.int8)
    for row, need in zip(table, needs, strict=True):
        row[:] = rule_outcomes(constraint, need, columns)
    return table


def rule_outcomes(constraint: Constraint, need: Need, columns: CapacityColumns) -> NDArray[np.int8]:
    """What a rule over sets says of a need on each distinct value of its part; remembered."""
    part, key = SET_QUESTIONS[constraint]
    question = (constraint.value, key(part(need)))
    known = columns.remembered.get(question)
    if known is None:
        rule, capacities = RULES[constraint], columns.parts[constraint.value].values
        known = np.array([CODE[rule(need, c).holds] for c in capacities], dtype=np.int8)
        if len(columns.remembered) < _REMEMBERED_QUESTIONS:
            columns.remembered[question] = known
    return known


def _ask_operators(needs: Sequence[Need], columns: CapacityColumns) -> Outcomes:
    """As the rule, by columns of versions: every variant may have its own set of operators."""
    missing = np.zeros(len(columns.unstated), dtype=np.intp)
    table = np.full((len(needs), len(missing)), HOLDS, dtype=np.int8)
    for row, need in zip(table, needs, strict=True):
        if need.operators is None:
            row[:] = UNKNOWN
        elif need.operators:
            for name, version in need.operators.items():
                row[columns.versions.get(name, missing) < version] = FAILS
            row[columns.unstated] = UNKNOWN
    return table


# The part of a need that each rule over sets looks at; its part of a capacity bears its name. What
# excludes most stands first.
SET_QUESTIONS: Mapping[Constraint, tuple[Callable[[Need], Any], Callable[[Any], Hashable]]] = {
    Constraint.SENSORS: (lambda n: n.sensors, itself),
    Constraint.OPERATORS: (lambda n: n.operators, operators_key),
    Constraint.DTYPES: (lambda n: n.dtypes, itself),
    Constraint.RUNTIME: (lambda n: n.runtimes, itself),
}
# What a need takes, which may depend on the runtime and the board alone, and what there is of it.
SIZE_QUESTIONS: Mapping[
    Constraint,
    tuple[Callable[[Need, Capacity], int | None], Metric, Callable[[CapacityColumns], Sizes]],
] = {
    Constraint.FLASH: (flash_bytes, Metric.FLASH_BYTES, lambda columns: columns.slot_bytes),
    Constraint.RAM: (arena_bytes, Metric.ARENA_BYTES, lambda columns: columns.arena_budget_bytes),
}
