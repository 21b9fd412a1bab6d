"""A process that answers one JSONPath query over a JSON document, and may be killed for it.

Run as `python -m registry.formats.jsonpath_search`; it talks over pipes as `ontology.frames` says.
A pattern in match() or search() can backtrack for years and `$..*` multiplies what it is given;
here that costs a process, not the program.

Source: RFC 9535 (JSONPath).
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson
from jsonpath_rfc9535 import JSONPathError, find

from ontology.frames import read_frame, send
from ontology.process_limits import limit_cpu, limit_memory


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A query and what bounds it."""

    query: str
    memory_bytes: int
    cpu_s: float
    max_bytes: int


def answer(document: bytes, request: SearchRequest) -> tuple[dict[str, Any], bytes]:
    """The head, which says how it went, and the values found as a JSON array."""
    try:
        values = find(request.query, json.loads(document)).values()
        body = json.dumps(values, ensure_ascii=False).encode()
    except JSONPathError as error:
        return {"status": "syntax", "detail": str(error)}, b""
    except RecursionError:
        return {"status": "syntax", "detail": "the query is nested too deeply"}, b""
    except MemoryError:
        return {"status": "memory"}, b""
    if len(body) > request.max_bytes:
        return {"status": "long"}, b""
    return {"status": "ok"}, body


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the input ends."""
    while frame := read_frame(requests):
        request, document = SearchRequest(**orjson.loads(frame)), read_frame(requests)
        limit_memory(request.memory_bytes)
        limit_cpu(request.cpu_s)
        send(answers, *answer(document, request))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
