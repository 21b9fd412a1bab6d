"""Syntactic search: a JSONPath query over all registered descriptions, within bounds.

Source: RFC 9535; W3C WoT Discovery, section 7.3.2.4.1.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import orjson
from django.conf import settings
from django.utils import timezone

from ontology.child_process import ChildProcess
from ontology.places import NoPlace, Places
from registry.formats.jsonpath_search import SearchRequest
from registry.services.registrations import current, exposed
from registry.services.thing_directory import in_order

_PIECE = 500
_PLACES = Places(settings.JSONPATH_AT_ONCE, kept=1)
_SHARE = max(1, settings.JSONPATH_AT_ONCE - 1)  # of one user: the last place is another's


class SearchFailed(Exception):
    """No answer. `kind` is syntax, long (query), things, time, memory, answer or busy."""

    def __init__(self, kind: str, detail: str, retry_after_s: int | None = None) -> None:
        self.kind = kind
        self.retry_after_s = retry_after_s
        super().__init__(detail)


def by_jsonpath(query: str, asker: str) -> bytes:
    """What the query finds in the array of all descriptions, as a JSON array; or SearchFailed.

    The asker's name says whose share of the places it takes.
    """
    if len(query.encode(errors="replace")) > settings.JSONPATH_MAX_QUERY_BYTES:
        limit = settings.JSONPATH_MAX_QUERY_BYTES
        raise SearchFailed("long", f"the query is longer than {limit:,} bytes")
    try:
        with _PLACES.one(asker, _SHARE, settings.JSONPATH_TIMEOUT_S):
            return _ask(query, _everything())
    except NoPlace as error:
        raise _busy(error) from error


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


def _busy(error: NoPlace) -> SearchFailed:
    limit = settings.JSONPATH_TIMEOUT_S
    if error.own:
        held = f"your share of searches at once, which is {_SHARE}, is taken"
    else:
        held = "other users' searches hold every place"
    detail = f"{held}, and none ended within {limit:g} s"
    return SearchFailed("busy", detail, retry_after_s=math.ceil(limit))


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
