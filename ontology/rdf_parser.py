"""A process that turns RDF documents into plain triples, and may be killed for it.

Run as `python -m ontology.rdf_parser`. It reads requests and documents from standard input and
writes heads and N-Triples to standard output, as `ontology.frames` says. A parser that is fed by
strangers can run out of memory or of stack; here that costs a process, not the program. The engine
reaches no network: a remote JSON-LD context is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson
import pyoxigraph as ox

from ontology.frames import read_frame, send
from ontology.process_limits import limit_cpu, limit_memory

# What a relative IRI is resolved against where the document states no base (RFC 2606, section 2).
NO_BASE = "https://no-base.invalid/"


@dataclass(frozen=True, slots=True)
class ParseRequest:
    """One document's media type and everything that bounds it."""

    media_type: str
    max_triples: int
    max_term_bytes: int
    memory_bytes: int
    cpu_s: float


class TooMuch(Exception):
    """The document is beyond a bound; the text says which, and where."""


def triples_of(data: bytes, request: ParseRequest) -> Iterator[ox.Triple]:
    """The document's triples, whatever graphs they stand in, blank nodes under fresh names.

    Raises SyntaxError where it is not well-formed and TooMuch beyond a bound.
    """
    form = ox.RdfFormat.from_media_type(request.media_type)
    quads = ox.parse(data, format=form, base_iri=NO_BASE, rename_blank_nodes=True)
    for number, quad in enumerate(quads, 1):
        if number > request.max_triples:
            raise TooMuch(f"it has more than {request.max_triples:,} triples")
        _check(quad.triple, request.max_term_bytes)
        yield quad.triple


def _check(triple: ox.Triple, max_bytes: int) -> None:
    for term in (triple.subject, triple.predicate, triple.object):
        if isinstance(term, ox.Triple):
            raise TooMuch("it has a triple within a triple, which no description here needs")
        if len(term.value) > max_bytes or len(term.value.encode()) > max_bytes:
            raise TooMuch(
                f"the {triple.predicate.value} of {str(triple.subject)[:200]} has a value of"
                f" more than {max_bytes:,} bytes"
            )


def answer(data: bytes, request: ParseRequest) -> tuple[dict[str, Any], bytes]:
    """The head, which says how it went, and the triples."""
    try:
        body = ox.serialize(triples_of(data, request), format=ox.RdfFormat.N_TRIPLES) or b""
    except SyntaxError as error:
        return {"status": "syntax", "detail": str(error)}, b""
    except TooMuch as error:
        return {"status": "bound", "detail": str(error)}, b""
    except MemoryError:
        return {"status": "memory"}, b""
    return {"status": "ok"}, body


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the input ends."""
    while frame := read_frame(requests):
        request, document = ParseRequest(**orjson.loads(frame)), read_frame(requests)
        limit_memory(request.memory_bytes)
        limit_cpu(request.cpu_s)
        send(answers, *answer(document, request))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
