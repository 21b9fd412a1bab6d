"""What a description lacks, by the shapes in shapes.ttl, in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyoxigraph as ox
import rdflib
from rdflib.namespace import RDF, SH

from ontology.namespaces import ID, ONTOLOGY, PREFIXES
from ontology.vocabulary import SHAPES_FILE


@dataclass(frozen=True, slots=True)
class Incompleteness:
    """One rule that one thing does not keep.

    `path` is the property by its prefixed name, with '^' before it where it is read backwards.
    """

    thing: str
    path: str
    rule: str

    @property
    def sentence(self) -> str:
        """E.g. 'device/kitchen (tf:profile) must have one capability profile'."""
        return f"{self.thing} ({self.path}) {self.rule}"


def incompletenesses(triples: Iterable[ox.Triple]) -> list[Incompleteness]:
    """Every rule of the shapes that these descriptions do not keep, in the order of the things.

    Superclasses must be stated in the triples, as the projection states them: nothing is inferred.
    What the ontology itself names, such as the profile of all that is not described, is complete.
    """
    from pyshacl import validate

    data = rdflib.Graph()
    data.parse(data=_ntriples(triples), format="nt")
    shapes = rdflib.Graph().parse(SHAPES_FILE, format="turtle")
    _, report, _ = validate(data, shacl_graph=shapes, inference="none")
    results = report.subjects(RDF.type, SH.ValidationResult)
    found = {_incompleteness(report, result) for result in results if _is_described(report, result)}
    return sorted(found, key=lambda each: (each.thing, each.path, each.rule))


def _ntriples(triples: Iterable[ox.Triple]) -> bytes:
    return ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES) or b""


def _is_described(report: rdflib.Graph, result: Any) -> bool:
    return not str(report.value(result, SH.focusNode)).startswith(f"{ONTOLOGY}#")


def _incompleteness(report: rdflib.Graph, result: Any) -> Incompleteness:
    path = report.value(result, SH.resultPath)
    inverse = report.value(path, SH.inversePath)
    return Incompleteness(
        thing=_short(str(report.value(result, SH.focusNode))),
        path=_short(str(path)) if inverse is None else f"^{_short(str(inverse))}",
        rule=str(report.value(result, SH.resultMessage)),
    )


def _short(iri: str) -> str:
    """One of our subjects by kind and key, anything else by its prefix."""
    if iri.startswith(ID):
        return iri.removeprefix(ID)
    for prefix, namespace in PREFIXES.items():
        if iri.startswith(namespace):
            return f"{prefix}:{iri.removeprefix(namespace)}"
    return iri
