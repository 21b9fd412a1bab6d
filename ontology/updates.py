"""What is written to a store, as SPARQL 1.1 Update and as N-Quads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pyoxigraph as ox

Graphs: TypeAlias = Mapping[str, Sequence[ox.Triple]]  # the triples of each, by the graph's IRI


def replacement(graphs: Graphs) -> str:
    """One update that makes each graph hold exactly its triples; one without triples is dropped."""
    drops = [f"DROP SILENT GRAPH {ox.NamedNode(iri)}" for iri in graphs]
    return " ;\n".join([*drops, *_insertions(graphs)])


def insertion(graphs: Graphs) -> str:
    """One update that adds the triples to their graphs."""
    return "".join(_insertions(graphs))


def link_replacement(node: str, predicates: Sequence[str], graphs: Graphs) -> str:
    """One update after which only these triples lead to a node by these predicates."""
    names = " ".join(str(ox.NamedNode(predicate)) for predicate in predicates)
    link = f"GRAPH ?graph {{ ?from ?link {ox.NamedNode(node)} }}"
    delete = f"DELETE {{ {link} }} WHERE {{ VALUES ?link {{ {names} }} {link} }}"
    return " ;\n".join([delete, *_insertions(graphs)])


def n_quads(graphs: Graphs) -> bytes:
    """All the triples, each with its graph."""
    quads = (
        ox.Quad(triple.subject, triple.predicate, triple.object, ox.NamedNode(iri))
        for iri, triples in graphs.items()
        for triple in triples
    )
    return ox.serialize(quads, format=ox.RdfFormat.N_QUADS) or b""


def _insertions(graphs: Graphs) -> list[str]:
    blocks = [_block(iri, triples) for iri, triples in graphs.items() if triples]
    return ["INSERT DATA {\n" + "\n".join(blocks) + "\n}"] if blocks else []


def _block(iri: str, triples: Sequence[ox.Triple]) -> str:
    body = " .\n".join(str(triple) for triple in triples)
    return f"GRAPH {ox.NamedNode(iri)} {{\n{body}\n}}"
