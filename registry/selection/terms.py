"""What a filter of devices says, as values: comparisons, and what joins them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

MAX_DEPTH = 50


class FilterError(ValueError):
    """A filter that means nothing; the message is a sentence that says what and where."""


class Kind(StrEnum):
    """What a field holds, and so how a value beside it is read."""

    TEXT = "text"
    NAME = "name"
    NUMBER = "whole number"
    BYTES = "bytes"
    TRUTH = "yes or no"
    MOMENT = "moment"


class Comparator(StrEnum):
    """How a field is held against a value. LIKE takes `*` for any characters."""

    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    LIKE = "~"


_SAMENESS = frozenset({Comparator.EQUAL, Comparator.UNEQUAL})
_ORDER = frozenset(Comparator) - {Comparator.LIKE}

# What each kind can be held by; order means nothing for text, nor likeness for numbers.
COMPARATORS: dict[Kind, frozenset[Comparator]] = {
    Kind.TEXT: _SAMENESS | {Comparator.LIKE},
    Kind.NAME: _SAMENESS,
    Kind.NUMBER: _ORDER,
    Kind.BYTES: _ORDER,
    Kind.TRUTH: _SAMENESS,
    Kind.MOMENT: _ORDER,
}


@dataclass(frozen=True, slots=True)
class Ago:
    """A moment that moves with the clock."""

    age: timedelta

    def at(self, now: datetime) -> datetime:
        """The moment that is meant at `now`."""
        return now - self.age


Value: TypeAlias = str | int | bool | datetime | Ago


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field comparator value`; with several values, equality with any of them."""

    name: str
    comparator: Comparator
    values: tuple[Value, ...]
    depth: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Known:
    """Whether anything is known of a field."""

    name: str
    depth: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """All devices that the term does not select, those with unknown facts among them."""

    term: Term
    depth: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _one_deeper(self.term))


@dataclass(frozen=True, slots=True)
class Every:
    """Devices that each term selects."""

    terms: tuple[Term, ...]
    depth: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _one_deeper(*self.terms))


@dataclass(frozen=True, slots=True)
class Some:
    """Devices that at least one term selects."""

    terms: tuple[Term, ...]
    depth: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _one_deeper(*self.terms))


Term: TypeAlias = Comparison | Known | Not | Every | Some


def _one_deeper(*terms: Term) -> int:
    depth = 1 + max(term.depth for term in terms)
    if depth > MAX_DEPTH:
        raise FilterError(f"The filter is nested more than {MAX_DEPTH} times.")
    return depth
