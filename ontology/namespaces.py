"""Prefixes, and the IRIs that this installation gives to its subjects.

A subject's IRI is https://w3id.org/tinyfleet/id/KIND/KEY, and its named graph bears the same IRI.
Parts of a subject, such as a board's core, are fragments of it. Two rules follow, and the stores
rely on both: there are no blank nodes, so graphs compare term by term; and no triple stands in two
graphs, because not every store counts a triple once where a query reads all graphs together.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

ONTOLOGY = "https://w3id.org/tinyfleet/ontology"
ID = "https://w3id.org/tinyfleet/id/"
STATE = "https://w3id.org/tinyfleet/state"  # the graph in which a store says when it was flushed

IRI_LENGTH = 300  # characters of an IRI that others gave and that is kept to know a thing again

PREFIXES: Mapping[str, str] = {
    "tf": f"{ONTOLOGY}#",
    "id": ID,
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "dcterms": "http://purl.org/dc/terms/",
    "schema": "https://schema.org/",
    "prov": "http://www.w3.org/ns/prov#",
    "qudt": "http://qudt.org/schema/qudt/",
    "unit": "http://qudt.org/vocab/unit/",
    "om": "http://www.ontology-of-units-of-measure.org/resource/om-2/",
    "sosa": "http://www.w3.org/ns/sosa/",
    "ssn": "http://www.w3.org/ns/ssn/",
    "ssn-system": "http://www.w3.org/ns/ssn/systems/",
    "s3n": "http://w3id.org/s3n/",
    "td": "https://www.w3.org/2019/wot/td#",
    "hctl": "https://www.w3.org/2019/wot/hypermedia#",
    "wotsec": "https://www.w3.org/2019/wot/security#",
    "nnet": "https://w3id.org/tinyml-schema/neural-network-schema#",
    "s3n_extend": "https://w3id.org/tinyml-schema/neural-network-schema/s3n_extend/",
    "sosa_extend": "https://w3id.org/tinyml-schema/neural-network-schema/sosa_extend/",
    "ssn_extend": "https://w3id.org/tinyml-schema/neural-network-schema/ssn_extend/",
}


def expand(name: str) -> str:
    """The IRI that a prefixed name such as 'tf:Variant' stands for; KeyError for other prefixes."""
    prefix, _, local = name.partition(":")
    return PREFIXES[prefix] + local


def subject_iri(kind: str, key: str) -> str:
    """The IRI of a subject and of its named graph, e.g. .../id/release/digits/1."""
    return f"{ID}{kind}/{quote(key, safe='/')}"


def target_iri(board: str, *runtime: str) -> str:
    """The IRI of a board type with a runtime: its name, version and kernels, none if unknown."""
    parts = ";".join(quote(part, safe="") for part in runtime)
    return f"{ID}target/{quote(board, safe='')}" + (f"/{parts}" if runtime else "")
