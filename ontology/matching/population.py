"""Which devices share which profile, so that an answer about profiles becomes one about devices."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ontology.facts import Capacity, Constraint, Need
from ontology.matching.columns import CapacityColumns, Places
from ontology.matching.fitting import FittingIndex

Devices: TypeAlias = NDArray[np.int32]  # numbers of devices

_LONG = 128  # from so many devices on, a profile's are copied by themselves


class Population:
    """Devices by profile: their numbers stand together, profile after profile.

    Profiles with equally many devices are neighbours, so their devices make a table with a row a
    profile, of which rows are taken at the speed of copying. `profile_of` holds the place of each
    device's profile, -1 for one that has none, shape (devices,). `order` holds the places of the
    profiles by how many devices have them, shape (profiles,). Four bytes a device are kept.
    """

    def __init__(self, profile_of: NDArray[np.int32], profiles: int) -> None:
        self.sizes = np.bincount(profile_of[profile_of >= 0], minlength=profiles)
        self.order: Places = np.argsort(self.sizes, kind="stable")
        self._devices = self._by_rank(profile_of)
        ascending = self.sizes[self.order]
        self._starts = np.concatenate(([0], np.cumsum(ascending)))
        # The first rank of the profiles with 1, 2, ... devices, and of those with many.
        self._firsts: Places = np.searchsorted(ascending, np.arange(1, _LONG + 1))
        self._tables = list(self._read_tables())

    def having(self, ranks: Places) -> Devices:
        """The devices that have one of these profiles, given by their ranks in `order`, ascending.

        Devices are numbered as they were given, and come in no order.
        """
        cuts = np.searchsorted(ranks, self._firsts).tolist()
        pieces = [
            table.take(ranks[begin:end] - first, axis=0).reshape(-1)
            for (first, table), (begin, end) in zip(self._tables, pairwise(cuts), strict=True)
            if begin < end
        ]
        starts = self._starts
        for rank in ranks[cuts[-1] :].tolist():
            pieces.append(self._devices[starts[rank] : starts[rank + 1]])
        return np.concatenate(pieces) if pieces else self._devices[:0]

    def counts(self, chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
        """How many devices have a chosen profile, by place; (rows, profiles) becomes (rows,)."""
        counts: NDArray[np.intp] = chosen @ self.sizes
        return counts

    def _read_tables(self) -> Iterator[tuple[int, Devices]]:
        """For 1, 2, ... devices a profile: the first such rank, and its and the next ones' rows."""
        for size, (first, after) in enumerate(pairwise(self._firsts.tolist()), start=1):
            rows = self._devices[self._starts[first] : self._starts[after]]
            yield first, rows.reshape(-1, size)

    def _by_rank(self, profile_of: NDArray[np.int32]) -> Devices:
        rank_of = np.empty(len(self.order) + 1, dtype=np.int32)
        rank_of[self.order] = np.arange(len(self.order))
        rank_of[-1] = -1  # of a device that has no profile
        by_rank = np.argsort(rank_of[profile_of], kind="stable").astype(np.int32)
        return by_rank[np.count_nonzero(profile_of < 0) :]


class FleetIndex:
    """The devices of a fleet, by what they can do: one variant's devices without a look at each."""

    def __init__(self, capacities: Sequence[Capacity], profile_of: NDArray[np.int32]) -> None:
        self.population = Population(profile_of, len(capacities))
        in_order = [capacities[place] for place in self.population.order]
        self._index = FittingIndex(CapacityColumns.of(in_order))

    def devices(self, need: Need, only: Collection[Constraint] | None = None) -> Devices:
        """The devices that `assess` says this need fits, by their place in `profile_of`."""
        return self.population.having(self._index.fitting(need, only))
