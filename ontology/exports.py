"""Named graphs as RDF text, a piece at a time, so that a large graph needs no large memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import TypeAlias

import pyoxigraph as ox

from ontology.namespaces import PREFIXES

NamedGraph: TypeAlias = tuple[str, Sequence[ox.Triple]]


class ExportFormat(StrEnum):
    """The forms of an export; Turtle has no names of graphs, so there all graphs are one."""

    TURTLE = "turtle"
    N_QUADS = "nquads"
    JSON_LD = "jsonld"

    @property
    def media_type(self) -> str:
        """As registered with IANA."""
        return _WRITERS[self].media_type

    @property
    def file_extension(self) -> str:
        """As files of that form end, without the dot."""
        return _WRITERS[self].file_extension


_WRITERS = {
    ExportFormat.TURTLE: ox.RdfFormat.TURTLE,
    ExportFormat.N_QUADS: ox.RdfFormat.N_QUADS,
    ExportFormat.JSON_LD: ox.RdfFormat.JSON_LD,
}


def write_graphs(chunks: Iterable[Sequence[NamedGraph]], form: ExportFormat) -> Iterator[bytes]:
    """One document in pieces, one a chunk; a graph's name may stand in one chunk only."""
    pieces = (_written(chunk, form) for chunk in chunks)
    return _one_array(pieces) if form is ExportFormat.JSON_LD else pieces


def _written(graphs: Sequence[NamedGraph], form: ExportFormat) -> bytes:
    if form is ExportFormat.TURTLE:
        triples = (triple for _, of_graph in graphs for triple in _by_subject(of_graph))
        return ox.serialize(triples, format=_WRITERS[form], prefixes=dict(PREFIXES)) or b""
    return ox.serialize(_quads(graphs), format=_WRITERS[form]) or b""


def _by_subject(triples: Sequence[ox.Triple]) -> list[ox.Triple]:
    """All that is said of one thing together, as people read Turtle."""
    return sorted(triples, key=lambda triple: str(triple.subject))


def _quads(graphs: Sequence[NamedGraph]) -> Iterator[ox.Quad]:
    for name, triples in graphs:
        graph = ox.NamedNode(name)
        for triple in triples:
            yield ox.Quad(triple.subject, triple.predicate, triple.object, graph)


def _one_array(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A JSON-LD document is an array of graphs: that of the whole has all elements of the parts."""
    yield b"["
    first = True
    for piece in pieces:
        elements = piece.strip()[1:-1].strip()
        if elements:
            yield elements if first else b",\n" + elements
            first = False
    yield b"]\n"
