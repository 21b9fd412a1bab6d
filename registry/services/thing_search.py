"""Syntactic search: a JSONPath query over all registered descriptions, within bounds.

Source: RFC 9535; W3C WoT Discovery, section 7.3.2.4.1.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict

import orjson
from django.conf import settings
from django.utils import timezone

from ontology.child_process import ChildProcess
from registry.formats.jsonpath_search import SearchRequest
from registry.services.registrations import current, exposed
from registry.services.thing_directory import in_order

_PIECE = 500
_PLACES = threading.BoundedSemaphore(settings.JSONPATH_AT_ONCE)


class SearchFailed(Exception):
    """No answer. `kind` is syntax, long (query), things, time, memory, answer, busy or failed."""

    def __init__(self, kind: str, detail: str) -> None:
        self.kind = kind
        super().__init__(detail)


def by_jsonpath(query: str) -> bytes:
    """What the query finds in the array of all descriptions, as a JSON array; or SearchFailed."""
    if len(query.encode(errors="replace")) > settings.JSONPATH_MAX_QUERY_BYTES:
        limit = settings.JSONPATH_MAX_QUERY_BYTES
        raise SearchFailed("long", f"the query is longer than {limit:,} bytes")
    if not _PLACES.acquire(timeout=settings.JSONPATH_TIMEOUT_S):
        raise SearchFailed("busy", "other searches are under way; try again")
    try:
        return _ask(query, _everything())
    finally:
        _PLACES.release()


def _everything() -> bytes:
    """All descriptions in the order of their ids, as a JSON array of bounded length."""
    now, left = timezone.now(), settings.JSONPATH_MAX_BYTES
    parts = []
    for row in in_order(current(now)).iterator(_PIECE):
        text = json.dumps(exposed(row, retrieved=now), ensure_ascii=False).encode()
        left -= len(text) + 1
        if left < 0:
            raise SearchFailed(
                "things",
                f"all descriptions together have more than {settings.JSONPATH_MAX_BYTES:,} bytes;"
                " search with SPARQL",
            )
        parts.append(text)
    return b"[" + b",".join(parts) + b"]"


def _ask(query: str, document: bytes) -> bytes:
    request = SearchRequest(
        query=query,
        memory_bytes=settings.JSONPATH_MEMORY_BYTES,
        cpu_s=settings.JSONPATH_TIMEOUT_S,
        max_bytes=settings.JSONPATH_MAX_BYTES,
    )
    child = ChildProcess("registry.formats.jsonpath_search")
    try:
        head, body = child.ask(settings.JSONPATH_TIMEOUT_S, orjson.dumps(asdict(request)), document)
    except TimeoutError as error:
        limit = settings.JSONPATH_TIMEOUT_S
        raise SearchFailed("time", f"the query did not end within {limit:g} s") from error
    except (EOFError, BrokenPipeError) as error:
        raise _too_much_memory() from error
    finally:
        child.kill()
    if head["status"] == "ok":
        return body
    raise _failure(head)


def _failure(head: dict[str, str]) -> SearchFailed:
    if head["status"] == "syntax":
        return SearchFailed("syntax", head["detail"])
    if head["status"] == "long":
        limit = settings.JSONPATH_MAX_BYTES
        return SearchFailed("answer", f"the answer has more than {limit:,} bytes; ask for less")
    return _too_much_memory()


def _too_much_memory() -> SearchFailed:
    limit = settings.JSONPATH_MEMORY_BYTES // 1_000_000
    return SearchFailed("memory", f"the query needed more than its limit of {limit} MB")
