"""What the endpoint is and what its graph holds, as RDF for machines that come by.

SPARQL 1.1 Service Description says what the endpoint understands and answers, VoID (W3C Interest
Group Note, 2011) what the data set is about and how much of it there is. Every figure is counted;
what could not be counted is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import pyoxigraph as ox

from ontology.results import GRAPH_WRITERS, GraphFormat

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_SD = "http://www.w3.org/ns/sparql-service-description#"
_VOID = "http://rdfs.org/ns/void#"
_FORMATS = "http://www.w3.org/ns/formats/"
_FOAF = "http://xmlns.com/foaf/0.1/"
_DCTERMS = "http://purl.org/dc/terms/"
_PREFIXES = {
    "sd": _SD,
    "void": _VOID,
    "formats": _FORMATS,
    "foaf": _FOAF,
    "dcterms": _DCTERMS,
}
_TABLES = ("SPARQL_Results_JSON", "SPARQL_Results_XML", "SPARQL_Results_CSV", "SPARQL_Results_TSV")
_GRAPHS = ("Turtle", "N-Triples", "N-Quads", "JSON-LD", "RDF_XML")
# An authority is taken whole and never given back: what ends within one has no namespace.
_NAMESPACE = re.compile(r"[^:/#]+:(?:/{2}[^/#]++|(?!/{2})).*[#/]")

_Node: TypeAlias = ox.NamedNode | ox.BlankNode


@dataclass(frozen=True, slots=True)
class GraphStatistics:
    """How much there is of what; None where it was too much to count."""

    triples_by_predicate: Mapping[str, int] | None = None
    instances_by_class: Mapping[str, int] | None = None
    entities: int | None = None  # subjects that are IRIs
    subjects: int | None = None
    objects: int | None = None
    named_graphs: int | None = None
    triples_by_graph: Mapping[str, int] = field(default_factory=dict)  # empty where too many

    @property
    def vocabularies(self) -> list[str]:
        """The namespaces of the predicates and classes that are in use."""
        terms = [*(self.triples_by_predicate or ()), *(self.instances_by_class or ())]
        found = (_NAMESPACE.match(term) for term in terms)
        return sorted({match[0] for match in found if match})


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the endpoint and the data set's description stand, as whole IRIs."""

    endpoint: str
    dataset_description: str


def write_service(where: Addresses, counted: GraphStatistics, form: GraphFormat) -> bytes:
    """The service description of the endpoint."""
    return _written(_service(where, counted), form)


def write_dataset(where: Addresses, counted: GraphStatistics, form: GraphFormat) -> bytes:
    """The VoID description: what stands at /.well-known/void."""
    document, dataset = ox.NamedNode(where.dataset_description), _dataset_node(where)
    about = [
        *_say(document, "rdf:type", _term("void:DatasetDescription")),
        *_say(document, "foaf:primaryTopic", dataset),
    ]
    return _written([*about, *_dataset(where, counted)], form)


def _written(triples: list[ox.Triple], form: GraphFormat) -> bytes:
    return ox.serialize(triples, format=GRAPH_WRITERS[form], prefixes=_PREFIXES) or b""


def _service(where: Addresses, counted: GraphStatistics) -> list[ox.Triple]:
    service = ox.NamedNode(f"{where.endpoint}#service")
    default = ox.NamedNode(f"{where.endpoint}#default-graph")
    dataset = _dataset_node(where)
    formats = [ox.NamedNode(_FORMATS + name) for name in (*_TABLES, *_GRAPHS)]
    return [
        *_say(service, "rdf:type", _term("sd:Service")),
        *_say(service, "sd:endpoint", ox.NamedNode(where.endpoint)),
        *_say(service, "sd:supportedLanguage", _term("sd:SPARQL11Query")),
        *_say(service, "sd:resultFormat", *formats),
        *_say(service, "sd:feature", _term("sd:UnionDefaultGraph")),
        *_say(service, "sd:defaultEntailmentRegime", _simple_entailment()),
        *_say(service, "sd:defaultDataset", dataset),
        *_say(service, "sd:availableGraphs", dataset),
        *_say(dataset, "rdf:type", _term("sd:Dataset"), _term("sd:GraphCollection")),
        *_say(dataset, "sd:defaultGraph", default),
        *_say(default, "rdf:type", _term("sd:Graph"), _term("void:Dataset")),
        *_figures(default, counted),
        *_named_graphs(dataset, counted.triples_by_graph),
        *_dataset(where, counted),
    ]


def _simple_entailment() -> ox.NamedNode:
    return ox.NamedNode("http://www.w3.org/ns/entailment/Simple")


def _dataset_node(where: Addresses) -> ox.NamedNode:
    return ox.NamedNode(f"{where.dataset_description}#dataset")


def _dataset(where: Addresses, counted: GraphStatistics) -> list[ox.Triple]:
    dataset = _dataset_node(where)
    title = ox.Literal("The knowledge graph of this TinyFleet installation", language="en")
    features = [ox.NamedNode(_FORMATS + name) for name in _GRAPHS]
    return [
        *_say(dataset, "rdf:type", _term("void:Dataset")),
        *_say(dataset, "dcterms:title", title),
        *_say(dataset, "dcterms:description", ox.Literal(_in_words(counted), language="en")),
        *_say(dataset, "void:sparqlEndpoint", ox.NamedNode(where.endpoint)),
        *_say(dataset, "void:feature", *features),
        *_say(dataset, "void:vocabulary", *map(ox.NamedNode, counted.vocabularies)),
        *_figures(dataset, counted),
        *_partitions(dataset, "property", "triples", counted.triples_by_predicate),
        *_partitions(dataset, "class", "entities", counted.instances_by_class),
    ]


def _in_words(counted: GraphStatistics) -> str:
    graphs = "" if counted.named_graphs is None else f" There are {counted.named_graphs} of them."
    return (
        "What devices can do, what networks need and what fits what. Each subject has a named graph"
        f" that bears its IRI, and the default graph is all of them together.{graphs}"
    )


def _figures(node: _Node, counted: GraphStatistics) -> Iterator[ox.Triple]:
    by_predicate, by_class = counted.triples_by_predicate, counted.instances_by_class
    figures = {
        "triples": None if by_predicate is None else sum(by_predicate.values()),
        "properties": None if by_predicate is None else len(by_predicate),
        "classes": None if by_class is None else len(by_class),
        "entities": counted.entities,
        "distinctSubjects": counted.subjects,
        "distinctObjects": counted.objects,
    }
    for name, count in figures.items():
        if count is not None:
            yield from _say(node, f"void:{name}", ox.Literal(count))


def _partitions(
    dataset: _Node, kind: str, figure: str, counts: Mapping[str, int] | None
) -> Iterator[ox.Triple]:
    for number, (iri, count) in enumerate(sorted((counts or {}).items())):
        part = ox.BlankNode(f"{kind}{number}")
        yield from _say(dataset, f"void:{kind}Partition", part)
        yield from _say(part, "rdf:type", _term("void:Dataset"))
        yield from _say(part, f"void:{kind}", ox.NamedNode(iri))
        yield from _say(part, f"void:{figure}", ox.Literal(count))


def _named_graphs(dataset: _Node, counts: Mapping[str, int]) -> Iterator[ox.Triple]:
    for number, (iri, count) in enumerate(sorted(counts.items())):
        named, graph = ox.BlankNode(f"named{number}"), ox.BlankNode(f"graph{number}")
        yield from _say(dataset, "sd:namedGraph", named)
        yield from _say(named, "rdf:type", _term("sd:NamedGraph"))
        yield from _say(named, "sd:name", ox.NamedNode(iri))
        yield from _say(named, "sd:graph", graph)
        yield from _say(graph, "rdf:type", _term("sd:Graph"), _term("void:Dataset"))
        yield from _say(graph, "void:triples", ox.Literal(count))


def _say(subject: _Node, predicate: str, *objects: _Node | ox.Literal) -> Iterator[ox.Triple]:
    return (ox.Triple(subject, _term(predicate), each) for each in objects)


def _term(name: str) -> ox.NamedNode:
    prefix, _, local = name.partition(":")
    return ox.NamedNode((_PREFIXES | {"rdf": _RDF})[prefix] + local)
