"""Sensors by their class: the kinds that a device has or that feed a network."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ontology.descriptions.terms import MOST_CLASSES, DescriptionRefused, Graph, short, tail
from ontology.namespaces import PREFIXES, expand
from ontology.vocabulary import sensor_kind

_SENSOR = expand("sosa:Sensor")
_SENSORS = frozenset({_SENSOR, expand("schema:Sensor")})
_ANY = _SENSORS | {expand("ssn:System")}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_KIND_LENGTH = 40
_MOST_KINDS = 100


def sensor_kinds(graph: Graph, systems: Iterable[str], what: str) -> tuple[str, ...] | None:
    """The kinds of the sensors among some systems, in order, each once; None if there is none.

    A sensor whose class names no kind makes all of them unknown: nothing can be said to be missing
    where one does not know what is there. `what` is what they are, for sentences.
    """
    kinds: set[str] = set()
    for system in systems:
        if not is_sensor(graph, system):
            continue
        found = _kinds(graph, system, what)
        if not found:
            return None
        kinds |= found
    if len(kinds) > _MOST_KINDS:
        raise DescriptionRefused(f"{what} is more than {_MOST_KINDS} kinds of sensors")
    return tuple(sorted(kinds)) or None


def is_sensor(graph: Graph, system: str) -> bool:
    """Whether a thing is a sensor by one of its classes, as far as ontology or document know."""
    return any(_is_sensor_class(graph, each) for each in graph.types(system))


def _is_sensor_class(graph: Graph, iri: str) -> bool:
    return any(
        each in _SENSORS or each.startswith(PREFIXES["sosa_extend"])
        for each in (iri, *graph.classes_above(iri))
    )


def _kinds(graph: Graph, sensor: str, what: str) -> set[str]:
    """The most specific kinds that its classes or those above them name; none where none does."""
    classes = [each for each in graph.types(sensor) if _is_sensor_class(graph, each)]
    if len(classes) > MOST_CLASSES:
        raise DescriptionRefused(f"{short(sensor)} is of more than {MOST_CLASSES} classes")
    all_classes = {above for each in classes for above in (each, *graph.classes_above(each))}
    known = {each for each in all_classes if sensor_kind(each)}
    if known:
        return {kind for each in _lowest(graph, known) if (kind := sensor_kind(each))}
    named = {each for each in classes if each not in _ANY and not _is_vague(each)}
    if not named:
        written = short(min(classes, key=lambda each: (each in _ANY, each)))
        graph.mend(sensor, f"{written} names no kind of sensor; {what} is taken as not known")
    return {_kind_of_name(tail(each)) for each in _lowest(graph, named)}


def _lowest(graph: Graph, classes: set[str]) -> set[str]:
    """Without those that are above another of them; of classes above each other, all stay."""
    above = {each: graph.classes_above(each) for each in classes}
    return {
        each
        for each in classes
        if not any(each in above[other] and other not in above[each] for other in classes)
    }


def _is_vague(iri: str) -> bool:
    return tail(iri).startswith("Other")


def _kind_of_name(name: str) -> str:
    """A class that the ontology does not know, as the word that people would type: LiDARSensor."""
    words = [word.lower() for word in _WORD.findall(name)]
    return ("-".join(words).removesuffix("-sensor") or "sensor")[:_KIND_LENGTH]
