"""What the ontology says, for those who write triples: superclasses and classes of sensors."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pyoxigraph as ox

from ontology.namespaces import ONTOLOGY, expand

ONTOLOGY_FILE = Path(__file__).with_name("tinyml.ttl")
SHAPES_FILE = Path(__file__).with_name("shapes.ttl")

SUBCLASS_OF = ox.NamedNode(expand("rdfs:subClassOf"))
SUBPROPERTY_OF = ox.NamedNode(expand("rdfs:subPropertyOf"))
IDENTIFIER = ox.NamedNode(expand("dcterms:identifier"))


@cache
def ontology_triples() -> tuple[ox.Triple, ...]:
    """The ontology as it is written."""
    return tuple(quad.triple for quad in ox.parse(path=ONTOLOGY_FILE, format=ox.RdfFormat.TURTLE))


@cache
def materialised_triples() -> tuple[ox.Triple, ...]:
    """The ontology with every superclass and superproperty stated, and the digest of its file.

    A store without inference then answers `?kind rdfs:subClassOf sosa:Sensor`; blank nodes, which
    stand for restrictions and lists, are left to reasoners.
    """
    named = [t for t in ontology_triples() if not _has_blank_node(t)]
    for relation in (SUBCLASS_OF, SUBPROPERTY_OF):
        closure = transitive_closure(relation)
        named.extend(
            ox.Triple(ox.NamedNode(below), relation, ox.NamedNode(above))
            for below, all_above in closure.items()
            for above in sorted(all_above)
        )
    return tuple(dict.fromkeys([*named, version_triple()]))


def version_triple() -> ox.Triple:
    """Says which text of the ontology a store holds."""
    digest = hashlib.sha256(ONTOLOGY_FILE.read_bytes()).hexdigest()
    return ox.Triple(ox.NamedNode(ONTOLOGY), IDENTIFIER, ox.Literal(f"sha256:{digest}"))


def _has_blank_node(triple: ox.Triple) -> bool:
    return isinstance(triple.subject, ox.BlankNode) or isinstance(triple.object, ox.BlankNode)


@cache
def transitive_closure(relation: ox.NamedNode) -> Mapping[str, frozenset[str]]:
    """Everything above each term, by IRI, the term itself left out."""
    above: dict[str, set[str]] = defaultdict(set)
    for triple in ontology_triples():
        if triple.predicate == relation and isinstance(triple.object, ox.NamedNode):
            above[_text(triple.subject)].add(triple.object.value)
    return {term: frozenset(_reachable(term, above)) for term in above}


def _reachable(term: str, above: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    pending = [term]
    while pending:
        for parent in above.get(pending.pop(), set()) - found:
            found.add(parent)
            pending.append(parent)
    return found - {term}


def superclasses(iri: str) -> frozenset[str]:
    """Every class above a class that the ontology knows; none above others."""
    return transitive_closure(SUBCLASS_OF).get(iri, frozenset())


@cache
def _sensor_classes() -> Mapping[str, str]:
    kind_name = ox.NamedNode(expand("tf:kindName"))
    named = (t for t in ontology_triples() if t.predicate == kind_name)
    return {_text(t.object): _text(t.subject) for t in named}


def sensor_class(kind: str) -> str:
    """The class of a kind of sensor; sosa:Sensor for a kind that the ontology does not name."""
    return _sensor_classes().get(kind, expand("sosa:Sensor"))


@cache
def _sensor_kinds() -> Mapping[str, str]:
    return {iri: kind for kind, iri in _sensor_classes().items()}


def sensor_kind(iri: str) -> str | None:
    """The kind of a class of sensors that the ontology knows; None for other classes."""
    return _sensor_kinds().get(iri)


@cache
def network_categories() -> frozenset[str]:
    """The categories of networks that the ontology names, by IRI."""
    kind, category = expand("rdf:type"), expand("nnet:NetworkCategory")
    typed = (t for t in ontology_triples() if t.predicate.value == kind)
    return frozenset(_text(t.subject) for t in typed if _text(t.object) == category)


@cache
def observed_property(sensor: str) -> str | None:
    """What sensors of a class observe, read from its `sosa:observes` restriction."""
    by_subject: dict[str, dict[str, str]] = defaultdict(dict)
    for triple in ontology_triples():
        by_subject[_text(triple.subject)][triple.predicate.value] = _text(triple.object)
    for triple in ontology_triples():
        if triple.predicate == SUBCLASS_OF and _text(triple.subject) == sensor:
            restriction = by_subject[_text(triple.object)]
            if restriction.get(expand("owl:onProperty")) == expand("sosa:observes"):
                return restriction.get(expand("owl:hasValue"))
    return None


def notation_of(kind: str, name: str) -> str:
    """How files write an individual of a class, by its local name: CONV_2D for Conv2D.

    The name itself for one that the ontology does not know.
    """
    known = (text for text, iri in _noted(kind).items() if iri.endswith(f"#{name}"))
    return next(known, name)


def noted(kind: str, notation: str | None) -> str | None:
    """The individual of a class that other vocabularies write so, e.g. nnet:Conv2D for CONV_2D."""
    return None if notation is None else _noted(kind).get(notation)


@cache
def _noted(kind: str) -> Mapping[str, str]:
    members = {
        _text(t.subject)
        for t in ontology_triples()
        if t.predicate.value == expand("rdf:type") and _text(t.object) == expand(kind)
    }
    notation = expand("skos:notation")
    stated = (t for t in ontology_triples() if t.predicate.value == notation)
    return {_text(t.object): _text(t.subject) for t in stated if _text(t.subject) in members}


def _text(term: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple) -> str:
    return str(term) if isinstance(term, ox.Triple) else term.value
