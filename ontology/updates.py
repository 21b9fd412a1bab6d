"""What is written to a store, as SPARQL 1.1 Update and as TriG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pyoxigraph as ox

Graphs: TypeAlias = Mapping[str, Sequence[ox.Triple]]  # the triples of each, by the graph's IRI

_N_TRIPLES = ox.RdfFormat.N_TRIPLES


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


def trig(graphs: Graphs) -> bytes:
    """All the triples, graph by graph; N-Triples is TriG, and the engine writes it at once."""
    blocks = ((iri, ox.serialize(each, format=_N_TRIPLES)) for iri, each in graphs.items() if each)
    return b"".join(b"%b {\n%b}\n" % (str(ox.NamedNode(iri)).encode(), block or b"") for iri, block in blocks)


def _insertions(graphs: Graphs) -> list[str]:
    blocks = [_block(iri, triples) for iri, triples in graphs.items() if triples]
    return ["INSERT DATA {\n" + "\n".join(blocks) + "\n}"] if blocks else []


def _block(iri: str, triples: Sequence[ox.Triple]) -> str:
    body = " .\n".join(str(triple) for triple in triples)
    return f"GRAPH {ox.NamedNode(iri)} {{\n{body}\n}}"
