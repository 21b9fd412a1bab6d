"""The preconditions that techniques may name, with the clues that tell whether they hold."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import yaml

from ontology.matching.techniques import TESTS, Clue, Precondition
from ontology.namespaces import expand
from ontology.vocabulary import ontology_triples

PRECONDITIONS_FILE = Path(__file__).with_name("preconditions.yaml")
_PREFIX = expand("tf:precondition-")
_LABEL = ox.NamedNode(expand("rdfs:label"))


def precondition_iri(key: str) -> str:
    """The IRI of a precondition in the ontology."""
    return _PREFIX + key


@cache
def known_preconditions() -> Mapping[str, Precondition]:
    """Every precondition by its key, in the words of the ontology."""
    labels = _labels()
    clues: dict[str, list[dict[str, Any]]] = yaml.safe_load(PRECONDITIONS_FILE.read_text())
    return {
        key: Precondition(key, labels[key], tuple(map(_clue, clues.get(key) or [])))
        for key in sorted(labels)
    }


def _labels() -> dict[str, str]:
    return {
        triple.subject.value.removeprefix(_PREFIX): triple.object.value
        for triple in ontology_triples()
        if triple.predicate == _LABEL
        and isinstance(triple.subject, ox.NamedNode)
        and isinstance(triple.object, ox.Literal)
        and triple.subject.value.startswith(_PREFIX)
    }


def _clue(raw: Mapping[str, Any]) -> Clue:
    test = next(name for name in TESTS if name in raw)
    value = frozenset(raw[test]) if isinstance(raw[test], list) else raw[test]
    return Clue(raw["fact"], test, value, raw["holds"])
