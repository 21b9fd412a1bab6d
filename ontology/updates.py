"""What is written to a store, as SPARQL 1.1 Update and as TriG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import pyoxigraph as ox

Graphs: TypeAlias = Mapping[str, Sequence[ox.Triple]]  # the triples of each, by the graph's IRI


def replacement(graphs: Graphs) -> str:
    """One update that makes each graph hold exactly its triples; one without triples is dropped."""
    drops = [f"DROP SILENT GRAPH {ox.NamedNode(iri)}" for iri in graphs]
    return " ;\n".join([*drops, *_insertions(graphs)])


def insertion(graphs: Iterable[bytes]) -> str:
    """One update that adds graphs, each as `written`."""
    return "INSERT DATA {\n" + b"".join(graphs).decode() + "}"


def link_replacement(nodes: Sequence[str], predicates: Sequence[str], graphs: Graphs) -> str:
    """One update after which only these triples lead to the nodes by these predicates."""
    link = "GRAPH ?graph { ?from ?link ?node }"
    values = f"VALUES ?node {{ {_names(nodes)} }} VALUES ?link {{ {_names(predicates)} }}"
    delete = f"DELETE {{ {link} }} WHERE {{ {values} {link} }}"
    return " ;\n".join([delete, *_insertions(graphs)])


def _names(iris: Sequence[str]) -> str:
    return " ".join(str(ox.NamedNode(iri)) for iri in iris)


def written(iri: str, triples: Sequence[ox.Triple]) -> bytes:
    """A graph, in words that TriG and SPARQL share; nothing where it has no triples.

    The triples are N-Triples, which the engine writes at once.
    """
    body = ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES)
    return b"GRAPH %b {\n%b}\n" % (str(ox.NamedNode(iri)).encode(), body) if body else b""


def _insertions(graphs: Graphs) -> list[str]:
    blocks = [written(iri, triples) for iri, triples in graphs.items()]
    return [insertion(blocks)] if any(blocks) else []
