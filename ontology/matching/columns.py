"""Capacities in columns: what equals what, and how large it is, worked out once for any need.

Profiles share firmware, so there are few distinct operator sets, tensor types, sensors and targets;
only sizes, of which every profile may have its own, are kept profile by profile.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ontology.facts import Capacity, Need

Item = TypeVar("Item", Need, Capacity)
Places: TypeAlias = NDArray[np.intp]
Sizes: TypeAlias = NDArray[np.float64]  # bytes; NaN is not known


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """One capacity for each distinct value of some part, and which of them each capacity has.

    `kind_place_of` says the same of each kind of capacity.
    """

    values: tuple[Capacity, ...]
    place_of: Places
    kind_place_of: Places


@dataclass(frozen=True, slots=True, eq=False)
class CapacityColumns:
    """Many capacities, ready to be compared; shapes are (capacities,) unless stated.

    A *kind* is everything about a capacity but its two sizes; `kind_of` holds that of each.
    """

    capacities: Sequence[Capacity]
    slot_bytes: Sizes
    arena_budget_bytes: Sizes
    parts: Mapping[str, Distinct]
    kind_of: Places
    target_runtimes: Sequence[Capacity]  # one target for each runtime
    target_runtime_of: Places  # the place of every target's among these
    versions: Mapping[str, Places]  # of each operator in each distinct set, 0 where it is missing
    unstated: NDArray[np.bool_]  # whether what a distinct set of operators holds is not known
    # What rules said of a part of a need on every distinct value of its part; made by `answers`.
    remembered: dict[tuple[str, Hashable], NDArray[np.int8]] = field(default_factory=dict)

    @classmethod
    def of(cls, capacities: Sequence[Capacity]) -> CapacityColumns:
        """The columns of these capacities; costs a look at each, none at any need."""
        found = {name: distinct(capacities, *how) for name, how in _PARTS.items()}
        kinds, kind_of = _combinations([place_of for _, place_of in found.values()])
        parts = {
            name: Distinct(tuple(values), place_of, place_of[kinds])
            for name, (values, place_of) in found.items()
        }
        runtimes, runtime_of = distinct(parts["target"].values, *_PARTS["runtime"])
        sets = [capacity.operators for capacity in parts["operators"].values]
        return cls(
            capacities=capacities,
            slot_bytes=sizes(capacity.slot_bytes for capacity in capacities),
            arena_budget_bytes=sizes(capacity.arena_budget_bytes for capacity in capacities),
            parts=parts,
            kind_of=kind_of,
            target_runtimes=runtimes,
            target_runtime_of=runtime_of,
            versions=_versions([operators or {} for operators in sets]),
            unstated=np.array([operators is None for operators in sets], dtype=bool),
        )

    @property
    def targets(self) -> Sequence[Capacity]:
        """One capacity for each runtime on each board."""
        return self.parts["target"].values

    def __len__(self) -> int:
        return len(self.capacities)


def sizes(values: Iterable[int | None]) -> Sizes:
    """Not known is NaN. Bytes up to 2**53 are exact in float64."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def distinct(
    items: Sequence[Item], part: Callable[[Item], Any], key: Callable[[Any], Hashable]
) -> tuple[list[Item], Places]:
    """One item for each distinct key of a part, and every item's place among them.

    Parts that are the same object are known for equal without making their key.
    """
    by_identity: dict[int, int] = {}
    places: dict[Hashable, int] = {}
    representatives: list[Item] = []
    index = np.empty(len(items), dtype=np.intp)
    values = [part(item) for item in items]  # held, so that no identity is used twice
    for position, value in enumerate(values):
        place = by_identity.get(id(value))
        if place is None:
            place = by_identity[id(value)] = places.setdefault(key(value), len(representatives))
            if place == len(representatives):
                representatives.append(items[position])
        index[position] = place
    return representatives, index


def operators_key(operators: Mapping[str, int] | None) -> frozenset[tuple[str, int]] | None:
    """Equal for equal operator sets, whatever their order."""
    return None if operators is None else frozenset(operators.items())


def itself(value: Hashable) -> Hashable:
    """The key of a part that can be compared as it is."""
    return value


def _versions(sets: Sequence[Mapping[str, int]]) -> dict[str, Places]:
    versions: dict[str, Places] = {}
    for place, operators in enumerate(sets):
        for name, version in operators.items():
            if name not in versions:
                versions[name] = np.zeros(len(sets), dtype=np.intp)
            versions[name][place] = version
    return versions


def _combinations(columns: Sequence[Places]) -> tuple[Places, Places]:
    """The first place of each distinct combination, and every item's combination."""
    code = np.zeros(len(columns[0]), dtype=np.intp)
    first = code[:1]
    for column in columns:
        # Numbered anew after each column, so that the codes stay below items times values.
        code = code * (column.max(initial=0) + 1) + column
        _, first, code = np.unique(code, return_index=True, return_inverse=True)
    return first, code


# The parts that rules over sets look at, and the target by which a need's figures are chosen.
_PARTS: Mapping[str, tuple[Callable[[Capacity], Any], Callable[[Any], Hashable]]] = {
    "operators": (lambda c: c.operators, operators_key),
    "dtypes": (lambda c: c.dtypes, itself),
    "sensors": (lambda c: c.sensors, itself),
    "runtime": (lambda c: c.runtime, itself),
    "target": (lambda c: (c.runtime, c.board), itself),
}
