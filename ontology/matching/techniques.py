"""Which techniques apply: their preconditions against what is known, three-valued.

A precondition is data. Somebody has stated that it holds of the model, the device or the use; or
clues, which are data too, tell it from facts that are known anyway. Nothing here knows a technique
or a precondition by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ontology.facts import Answer
from ontology.matching.rules import combine

# Facts by name: names of things that occur, a number, or yes and no; what is None is not known.
Fact: TypeAlias = frozenset[str] | float | bool | None
KnownFacts: TypeAlias = Mapping[str, Fact]
Stated: TypeAlias = Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Clue:
    """A fact that tells whether a precondition holds: where the test is passed, `holds` follows.

    `test` is one of the names in TESTS. A test that is not passed tells nothing.
    """

    fact: str
    test: str
    value: frozenset[str] | float | bool
    holds: bool


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must hold before a technique can be applied."""

    key: str
    label: str
    clues: tuple[Clue, ...] = ()


@dataclass(frozen=True, slots=True)
class PreconditionOutcome:
    """One precondition's outcome; `holds=None` is unknown."""

    precondition: Precondition
    holds: bool | None


@dataclass(frozen=True, slots=True)
class TechniqueVerdict:
    """Whether a technique applies, with what came of each of its preconditions."""

    answer: Answer
    outcomes: tuple[PreconditionOutcome, ...]


def assess_technique(
    preconditions: Iterable[Precondition], network: Stated, use: Sequence[Stated], known: KnownFacts
) -> TechniqueVerdict:
    """It applies where every precondition holds; one that does not hold decides.

    `network` is what is stated of the network, `use` what is stated of the device and by whoever
    asks, `known` the facts that clues look at.
    """
    outcomes = tuple(
        PreconditionOutcome(precondition, holds(precondition, network, use, known))
        for precondition in preconditions
    )
    return TechniqueVerdict(combine(outcome.holds for outcome in outcomes), outcomes)


def holds(
    precondition: Precondition, network: Stated, use: Sequence[Stated], known: KnownFacts
) -> bool | None:
    """True or False where somebody states it or clues tell it; None where neither.

    Of the network, a statement outweighs clues. Of several who say it, one denial is enough.
    """
    said = [saying[precondition.key] for saying in use if precondition.key in saying]
    of_network = of_the_network(precondition, network, known)
    if of_network is not None:
        said.append(of_network)
    return all(said) if said else None


def of_the_network(precondition: Precondition, stated: Stated, known: KnownFacts) -> bool | None:
    """What is stated of a network, or else what the clues tell of it."""
    if precondition.key in stated:
        return stated[precondition.key]
    return told_by_clues(precondition, known)


def told_by_clues(precondition: Precondition, known: KnownFacts) -> bool | None:
    """What the clues say where they agree; None where none says anything, or they disagree."""
    told = {clue.holds for clue in precondition.clues if _passes(clue, known.get(clue.fact))}
    return told.pop() if len(told) == 1 else None


def _passes(clue: Clue, fact: Fact) -> bool:
    return fact is not None and TESTS[clue.test](fact, clue.value)


def _has_any(fact: Fact, value: object) -> bool:
    return isinstance(fact, frozenset) and isinstance(value, frozenset) and bool(fact & value)


def _has_none(fact: Fact, value: object) -> bool:
    return isinstance(fact, frozenset) and isinstance(value, frozenset) and not fact & value


def _has_only(fact: Fact, value: object) -> bool:
    """An empty set has nothing to judge."""
    known = isinstance(fact, frozenset) and isinstance(value, frozenset) and bool(fact)
    return known and fact <= value  # type: ignore[operator]  # sets


def _at_least(fact: Fact, value: object) -> bool:
    return _are_numbers(fact, value) and fact >= value  # type: ignore[operator]  # numbers


def _at_most(fact: Fact, value: object) -> bool:
    return _are_numbers(fact, value) and fact <= value  # type: ignore[operator]  # numbers


def _is(fact: Fact, value: object) -> bool:
    return isinstance(fact, bool) and fact is value


def _are_numbers(*values: object) -> bool:
    return all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)


TESTS: Mapping[str, Callable[[Fact, object], bool]] = {
    "any_of": _has_any,
    "none_of": _has_none,
    "only": _has_only,
    "at_least": _at_least,
    "at_most": _at_most,
    "is": _is,
}
