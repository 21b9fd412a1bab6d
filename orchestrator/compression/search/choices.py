"""The space that is searched: one choice takes a value of every dimension."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

Value: TypeAlias = int | float | str | bool
Choice: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole numbers from `least` to `most`, `step` apart; the least costs least."""

    least: int
    most: int
    step: int = 1

    def holds(self, value: Value) -> bool:
        """Whether the value is one of these."""
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return is_whole and value in range(self.least, self.most + 1, self.step)  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Any of these, in no order."""

    values: tuple[Value, ...]

    def holds(self, value: Value) -> bool:
        """Whether the value is one of these."""
        return value in self.values


Dimension: TypeAlias = Whole | OneOf
Space: TypeAlias = Mapping[str, Dimension]


def checked(space: Space, choice: Choice) -> Choice:
    """The choice, read-only. ValueError where it is not in the space."""
    strange = [name for name, value in choice.items() if not _is_in(space, name, value)]
    strange += [name for name in space if name not in choice]
    if strange:
        raise ValueError(f"a choice outside of the space that is searched: {', '.join(strange)}")
    return MappingProxyType(dict(choice))


def key(choice: Choice) -> str:
    """Equal for equal choices."""
    return json.dumps(dict(choice), sort_keys=True)


def _is_in(space: Space, name: str, value: Value) -> bool:
    return name in space and space[name].holds(value)
