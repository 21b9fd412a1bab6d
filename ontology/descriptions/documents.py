"""RDF documents as triples within bounds; nothing that they name is ever fetched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import pyoxigraph as ox

from ontology.child_process import ChildProcess
from ontology.descriptions.entities import declares_entities, overlong_entity
from ontology.rdf_parser import ParseRequest

# What a file's name ends in, and what it then holds.
MEDIA_TYPES = {
    ".ttl": "text/turtle",
    ".nt": "application/n-triples",
    ".nq": "application/n-quads",
    ".trig": "application/trig",
    ".rdf": "application/rdf+xml",
    ".owl": "application/rdf+xml",
    ".xml": "application/rdf+xml",
    ".jsonld": "application/ld+json",
}
_XML = "application/rdf+xml"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class DocumentRefused(ValueError):
    """A document is not read: its name, and a sentence's rest that says why and what to do."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(f"{name}: {problem}")


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """What one document may be and what reading it may take."""

    document_bytes: int
    triples: int
    term_bytes: int
    memory_bytes: int
    time_s: float


def media_type_of(name: str) -> str:
    """By the ending of its name; DocumentRefused for an ending that says nothing."""
    ending = Path(name).suffix.lower()
    if ending not in MEDIA_TYPES:
        known = ", ".join(MEDIA_TYPES)
        raise DocumentRefused(name, f"its name says nothing of its format; known are {known}")
    return MEDIA_TYPES[ending]


class DocumentParser:
    """Reads documents one after the other in a process that they can bring down without harm."""

    def __init__(self, limits: DocumentLimits) -> None:
        self._limits = limits
        self._child = ChildProcess("ontology.rdf_parser")

    def __enter__(self) -> DocumentParser:
        return self

    def __exit__(self, *exception: object) -> None:
        self._child.kill()

    def triples(self, name: str, data: bytes, media_type: str | None = None) -> Iterator[ox.Triple]:
        """A document's, whatever graphs they stand in; DocumentRefused where it breaks a bound.

        What it holds is told by the ending of its name, unless `media_type` says it.
        """
        form = media_type or media_type_of(name)
        if len(data) > self._limits.document_bytes:
            raise DocumentRefused(name, too_large(len(data), self._limits))
        text = _as_utf8(name, data)
        if form == _XML:
            _check_entities(name, text, self._limits)
        head, body = self._ask(name, text, form)
        if head["status"] == "memory":
            raise DocumentRefused(name, _beyond_memory(self._limits, text))
        _check(name, head)
        return (quad.triple for quad in ox.parse(body, format=ox.RdfFormat.N_TRIPLES))

    def _ask(self, name: str, data: bytes, media_type: str) -> tuple[dict[str, Any], bytes]:
        limits = self._limits
        request = ParseRequest(
            media_type=media_type,
            max_triples=limits.triples,
            max_term_bytes=limits.term_bytes,
            memory_bytes=limits.memory_bytes,
            cpu_s=limits.time_s,
        )
        try:
            return self._child.ask(limits.time_s, orjson.dumps(asdict(request)), data)
        except TimeoutError as error:
            problem = f"reading it takes more than {limits.time_s:g} s; is it nested very deeply?"
            raise DocumentRefused(name, problem) from error
        except (EOFError, BrokenPipeError) as error:
            raise DocumentRefused(name, _beyond_memory(limits, data)) from error


def too_large(size: int, limits: DocumentLimits) -> str:
    """Why a document of `size` bytes is refused."""
    return (
        f"it has {size:,} bytes, more than the {limits.document_bytes:,} allowed;"
        " split it or raise TINYFLEET_RDF_MAX_BYTES"
    )


def _as_utf8(name: str, data: bytes) -> bytes:
    body = data.removeprefix(_BYTE_ORDER_MARK)
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8, the only encoding read; save it as UTF-8"
        raise DocumentRefused(name, problem) from error
    return body


def _check_entities(name: str, data: bytes, limits: DocumentLimits) -> None:
    overlong = overlong_entity(data, limits.term_bytes)
    if overlong is not None:
        raise DocumentRefused(
            name,
            f"its entity {overlong[:80]} stands for more than {limits.term_bytes:,} bytes, which no"
            " literal may have; write out what is meant",
        )


def _check(name: str, head: dict[str, Any]) -> None:
    if head["status"] == "ok":
        return
    if "LoadDocumentCallback" in head["detail"]:
        problem = (
            "it names a remote JSON-LD context, and none is ever fetched; write the context in"
        )
        raise DocumentRefused(name, problem)
    if "<!ENTITY" in head["detail"]:
        problem = (
            f"its entities are not read ({head['detail']}); none is ever fetched, write them out"
        )
        raise DocumentRefused(name, problem)
    raise DocumentRefused(name, head["detail"])


def _beyond_memory(limits: DocumentLimits, data: bytes) -> str:
    megabytes = limits.memory_bytes // 1_000_000
    taken = f"reading it takes more than the {megabytes:,} MB of memory allowed"
    if declares_entities(data):
        return f"{taken}; it declares entities, which may stand for far more: write them out"
    return f"{taken}, or more of the stack than there is; is it nested very deeply?"
