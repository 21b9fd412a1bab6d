"""Sensors by their class: the kinds that a device has or that feed a network."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ontology.descriptions.terms import DescriptionRefused, Graph, short, tail
from ontology.namespaces import PREFIXES, expand
from ontology.vocabulary import sensor_kind, superclasses

_SENSOR = expand("sosa:Sensor")
_ANY = frozenset({_SENSOR, expand("ssn:System"), expand("schema:Sensor")})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_KIND_LENGTH = 40
_MOST_KINDS = 100


def sensor_kinds(graph: Graph, systems: Iterable[str], what: str) -> tuple[str, ...] | None:
    """The kinds of the sensors among some systems, in order, each once; None if there is none.

    A sensor whose class names no kind makes all of them unknown: nothing can be said to be missing
    where one does not know what is there. `what` is what they are, for sentences.
    """
    kinds: dict[str, None] = {}
    for system in systems:
        if not is_sensor(graph, system):
            continue
        kind = _kind(graph, system, what)
        if kind is None:
            return None
        kinds[kind] = None
    if len(kinds) > _MOST_KINDS:
        raise DescriptionRefused(f"{what} is more than {_MOST_KINDS} kinds of sensors")
    return tuple(sorted(kinds)) or None


def is_sensor(graph: Graph, system: str) -> bool:
    """Whether a thing is a sensor by one of its classes, as far as ontology or document know."""
    return any(_is_sensor_class(graph, each) for each in graph.types(system))


def _is_sensor_class(graph: Graph, iri: str) -> bool:
    if iri in _ANY - {expand("ssn:System")} or iri.startswith(PREFIXES["sosa_extend"]):
        return True
    return _SENSOR in superclasses(iri) or _SENSOR in graph.related(iri, "rdfs:subClassOf")


def _kind(graph: Graph, sensor: str, what: str) -> str | None:
    classes = [each for each in graph.types(sensor) if _is_sensor_class(graph, each)]
    named = sorted(each for each in classes if each not in _ANY and not _is_vague(each))
    if not named:
        written = short(min(classes, key=lambda each: (each in _ANY, each)))
        graph.mend(sensor, f"{written} names no kind of sensor; {what} is taken as not known")
        return None
    known = [kind for each in named if (kind := sensor_kind(each))]
    return known[0] if known else _kind_of_name(tail(named[0]))


def _is_vague(iri: str) -> bool:
    return tail(iri).startswith("Other")


def _kind_of_name(name: str) -> str:
    """A class that the ontology does not know, as the word that people would type: LiDARSensor."""
    words = [word.lower() for word in _WORD.findall(name)]
    return ("-".join(words).removesuffix("-sensor") or "sensor")[:_KIND_LENGTH]
