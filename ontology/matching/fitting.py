"""Which of many capacities one need surely fits, asked again and again: a bitmap index.

One bit a capacity for each answer, so that a question costs a few conjunctions of bits, however
many kinds of capacity there are (O'Neil and Quass, "Improved Query Performance with Variant
Indexes", SIGMOD 1997, section 2.1). Sizes are kept as small ranks, which are compared.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ontology.facts import Constraint, Need
from ontology.matching.answers import SET_QUESTIONS, SIZE_QUESTIONS, needed_sizes, rule_outcomes
from ontology.matching.columns import CapacityColumns, Places, Sizes
from ontology.matching.outcomes import HOLDS

Bits: TypeAlias = NDArray[np.uint8]  # shape (ceil(capacities / 8),), as np.packbits packs them

_REMEMBERED_BITMAPS = 1_000


class FittingIndex:
    """The capacities of some columns by what they offer; worth making for more than one question.

    Takes a bit a capacity for every version of every operator.
    """

    def __init__(self, columns: CapacityColumns) -> None:
        self._columns = columns
        self._operator_set_of = columns.parts["operators"].place_of
        self._stated = np.packbits(~columns.unstated[self._operator_set_of])
        self._nothing = np.zeros_like(self._stated)
        self._offering = dict(self._read_versions(columns.versions))
        self._rooms = {c: _Room.of(limit_of(columns)) for c, (*_, limit_of) in _SIZES}
        self._remembered: dict[Hashable, Bits] = {}

    def fitting(self, need: Need, only: Collection[Constraint] | None = None) -> Places:
        """The places of the capacities that `assess` says this need fits, ascending."""
        held = ~self._nothing
        for constraint in _ASKED:
            if constraint in self._rooms and not held.any():
                return _NOWHERE  # sizes take longest, and few needs find every set somewhere
            if only is None or constraint in only:
                for bitmap in self._bitmaps(constraint, need):
                    held &= bitmap
        return np.flatnonzero(np.unpackbits(held, count=len(self._columns)).view(np.bool_))

    def _bitmaps(self, constraint: Constraint, need: Need) -> Iterator[Bits]:
        """Bitmaps of which a capacity must be in every one, for the rule to hold on it surely."""
        if constraint in self._rooms:
            yield self._with_room(constraint, need)
        elif constraint is not Constraint.OPERATORS:
            yield self._by_rule(constraint, need)
        elif need.operators is None:
            yield self._nothing
        else:
            for name, version in need.operators.items():
                yield self._offering_at(name, version)

    def _by_rule(self, constraint: Constraint, need: Need) -> Bits:
        part, key = SET_QUESTIONS[constraint]

        def work_out() -> Bits:
            outcomes = rule_outcomes(constraint, need, self._columns)
            place_of = self._columns.parts[constraint.value].place_of
            return np.packbits((outcomes == HOLDS)[place_of])

        return self._remember((constraint, key(part(need))), work_out)

    def _offering_at(self, name: str, version: int) -> Bits:
        """Where it is not stated what is offered, nothing surely is; every set has version 0."""
        if version <= 0:
            return self._stated
        offered = self._offering.get(name)
        return self._nothing if offered is None else offered.at_least(version, self._nothing)

    def _with_room(self, constraint: Constraint, need: Need) -> Bits:
        needed, room = needed_sizes(constraint, need, self._columns), self._rooms[constraint]
        held = self._nothing.copy()
        for size, targets in _by_size(needed).items():
            roomy = room.for_size(size)
            held |= roomy if len(needed) == 1 else roomy & self._of_targets(targets)
        return held

    def _of_targets(self, targets: Sequence[int]) -> Bits:
        def work_out() -> Bits:
            chosen = np.zeros(len(self._columns.targets), dtype=bool)
            chosen[targets] = True
            return np.packbits(chosen[self._columns.parts["target"].place_of])

        return self._remember(tuple(targets), work_out)

    def _remember(self, question: Hashable, work_out: Callable[[], Bits]) -> Bits:
        known = self._remembered.get(question)
        if known is None:
            known = work_out()
            if len(self._remembered) < _REMEMBERED_BITMAPS:
                self._remembered[question] = known
        return known

    def _read_versions(self, versions: Mapping[str, Places]) -> Iterator[tuple[str, _Versions]]:
        for name, of_set in versions.items():
            ascending = tuple(int(version) for version in np.unique(of_set) if version > 0)
            bitmaps = [np.packbits((of_set >= least)[self._operator_set_of]) for least in ascending]
            yield name, _Versions(ascending, tuple(bitmaps))


@dataclass(frozen=True, slots=True)
class _Versions:
    """Which capacities offer an operator: a bitmap for each version, of it or a later one."""

    ascending: tuple[int, ...]
    bitmaps: tuple[Bits, ...]

    def at_least(self, version: int, nothing: Bits) -> Bits:
        place = bisect_left(self.ascending, version)
        return self.bitmaps[place] if place < len(self.bitmaps) else nothing


@dataclass(frozen=True, slots=True, eq=False)
class _Room:
    """A size of each capacity as its rank from 1 among the distinct ones; 0 is not known."""

    ascending: Sequence[float]
    rank_of: NDArray[np.unsignedinteger]

    @classmethod
    def of(cls, limits: Sizes) -> _Room:
        ascending = np.unique(limits[~np.isnan(limits)])
        rank_of = np.where(np.isnan(limits), 0, np.searchsorted(ascending, limits) + 1)
        return cls(ascending.tolist(), rank_of.astype(np.min_scalar_type(len(ascending))))

    def for_size(self, size: float) -> Bits:
        """Who surely has so much room."""
        return np.packbits(self.rank_of > bisect_left(self.ascending, size))


def _by_size(needed: Sizes) -> Mapping[float, Sequence[int]]:
    """The targets that each size is needed on; those on which it is not known are left out."""
    targets: dict[float, list[int]] = defaultdict(list)
    for target, size in enumerate(needed.tolist()):
        if size == size:
            targets[size].append(target)
    return targets


_NOWHERE: Places = np.empty(0, dtype=np.intp)
_SIZES = tuple(SIZE_QUESTIONS.items())
_ASKED = (*SET_QUESTIONS, *SIZE_QUESTIONS)
