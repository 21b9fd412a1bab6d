"""Triples about one subject, written the way one would say them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache, lru_cache
from urllib.parse import quote

import pyoxigraph as ox

from ontology.namespaces import expand
from ontology.vocabulary import superclasses

_TYPE = ox.NamedNode(expand("rdf:type"))
_DATE_TIME = ox.NamedNode(expand("xsd:dateTime"))

Value = str | int | float | bool | datetime | ox.NamedNode | ox.Literal | None


class Description:
    """Triples about one subject and its parts, in the order in which they were stated.

    What is None is not stated: in this graph absence means not known. Stating a class states its
    superclasses, so that a store without inference finds a microphone among the sensors.
    """

    def __init__(self, iri: str, triples: list[ox.Triple] | None = None) -> None:
        self.iri = ox.NamedNode(iri)
        self.triples: list[ox.Triple] = [] if triples is None else triples

    def a(self, *classes: str) -> Description:
        """State classes by prefixed name or IRI."""
        for name in classes:
            self.triples.extend(ox.Triple(self.iri, _TYPE, each) for each in _classes(name))
        return self

    def has(self, name: str, *values: Value) -> Description:
        """State a property, by prefixed name, of each value that is known; empty text is not."""
        predicate = _predicate(name)
        for value in values:
            if value is not None and value != "":
                self.triples.append(ox.Triple(self.iri, predicate, _term(value)))
        return self

    def is_to(self, name: str, *iris: str | None) -> Description:
        """State a relation, by prefixed name, to each thing that there is."""
        return self.has(name, *(ox.NamedNode(_iri(iri)) for iri in iris if iri is not None))

    def part(self, fragment: str) -> Description:
        """A part of this subject, in the same graph, under the subject's IRI with a fragment."""
        return Description(f"{self.iri.value}#{_quoted(fragment)}", self.triples)

    def for_each(self, name: str, others: Iterable[Description]) -> Description:
        """State a relation to things that are themselves described in this graph."""
        return self.is_to(name, *(other.iri.value for other in others))


@cache
def _classes(name: str) -> tuple[ox.NamedNode, ...]:
    """A class and all above it."""
    iri = _iri(name)
    return tuple(ox.NamedNode(each) for each in (iri, *sorted(superclasses(iri))))


@lru_cache(maxsize=10_000)
def _quoted(fragment: str) -> str:
    """Operators and sensors are called the same in thousands of graphs."""
    return quote(fragment, safe="")


@cache
def _predicate(name: str) -> ox.NamedNode:
    return ox.NamedNode(expand(name))


def link(iri: str) -> ox.NamedNode | None:
    """An IRI that somebody gave, as a value; None for none, and for what is no IRI."""
    try:
        return ox.NamedNode(iri) if iri else None
    except ValueError:
        return None


def _iri(name: str) -> str:
    return name if "://" in name else expand(name)


def _term(
    value: str | int | float | datetime | ox.NamedNode | ox.Literal,
) -> ox.NamedNode | ox.Literal:
    if isinstance(value, ox.NamedNode | ox.Literal):
        return value
    if isinstance(value, datetime):
        return ox.Literal(_moment(value), datatype=_DATE_TIME)
    return ox.Literal(value)


def _moment(value: datetime) -> str:
    """To the millisecond, as XSD writes it in short: HermiT's reader takes nothing finer."""
    whole = value.replace(microsecond=0).isoformat()
    fraction = f".{value.microsecond // 1000:03}".rstrip("0").rstrip(".")
    return f"{whole[:19]}{fraction}{whole[19:]}"
