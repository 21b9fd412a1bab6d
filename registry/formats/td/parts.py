"""Sensors and actuators that a description names as parts of the thing, in the terms of SSN/SOSA.

Source: W3C, Semantic Sensor Network Ontology; W3C TD ontology, its alignment with SOSA.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ontology.namespaces import expand
from ontology.parts import HAS_PART
from registry.formats.td.node import Node

_RELATIONS = frozenset(map(expand, HAS_PART))
_OBSERVES = expand("sosa:observes")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the thing by the IRIs of its classes and of what it observes."""

    types: tuple[str, ...]
    observes: tuple[str, ...] = ()


def read_parts(root: Node) -> tuple[Part, ...]:
    """The parts that say what they are; other JSON-LD under these terms is left alone."""
    found = [_part(root, value) for value in _values(root, root.value, _RELATIONS)]
    return tuple(part for part in found if part is not None)


def _part(root: Node, value: Any) -> Part | None:
    if not isinstance(value, dict):
        return None
    named = [name for name in _listed(value.get("@type")) if isinstance(name, str)]
    types = tuple(iri for name in named if (iri := root.reading.terms.type_iri(name)))
    said = list(_values(root, value, {_OBSERVES}))
    texts = [each.get("@id") if isinstance(each, dict) else each for each in said]
    names = [text for text in texts if isinstance(text, str)]
    observes = tuple(iri for name in names if (iri := root.reading.terms.type_iri(name)))
    return Part(types, observes) if types else None


def _values(root: Node, holder: dict[str, Any], iris: frozenset[str] | set[str]) -> Iterator[Any]:
    for key, value in holder.items():
        if ":" in key and root.reading.terms.type_iri(key) in iris:
            yield from _listed(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
