"""Users' questions to the knowledge graph."""

from __future__ import annotations

import atexit
import threading
from dataclasses import dataclass
from pathlib import Path

import httpx
from django.conf import settings

from ontology import questions as competency
from ontology.query_guard import QueryForm, QueryRefused, examine
from ontology.readers import QueryFailed, QueryLimits, ReaderPool


@dataclass(frozen=True, slots=True)
class Question:
    """A query that passed the guard, and the dataset that its client named (protocol, 2.1.4)."""

    query: str
    form: QueryForm
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()


def offered() -> list[competency.Question]:
    """The questions that the ontology answers, for those who would rather choose than write."""
    return competency.questions()


def question(query: str, default_graphs: list[str], named_graphs: list[str]) -> Question:
    """The question, or QueryRefused where this endpoint does not run it."""
    if len(query.encode()) > settings.SPARQL_MAX_QUERY_BYTES:
        raise QueryRefused(f"the query is longer than {settings.SPARQL_MAX_QUERY_BYTES:,} bytes")
    return Question(query, examine(query), tuple(default_graphs), tuple(named_graphs))


def answer(asked: Question, media_type: str) -> bytes:
    """The answer in that media type; QueryFailed within the limits of the settings."""
    if settings.GRAPH_URL:
        return _ask_external(asked, media_type)
    limits = QueryLimits(
        time_s=settings.SPARQL_TIMEOUT_S,
        memory_bytes=settings.SPARQL_MEMORY_BYTES,
        rows=settings.SPARQL_MAX_ROWS,
    )
    return _pool().run(asked.query, media_type, limits, asked.default_graphs, asked.named_graphs)


_POOLS: dict[tuple[Path, int], ReaderPool] = {}
_POOLS_LOCK = threading.Lock()


def _pool() -> ReaderPool:
    key = (settings.GRAPH_DIR, settings.SPARQL_READERS)
    with _POOLS_LOCK:
        return _POOLS.setdefault(key, ReaderPool(*key))


@atexit.register
def close_pools() -> None:
    """End every idle reader; the next question starts new ones."""
    with _POOLS_LOCK:
        for pool in _POOLS.values():
            pool.close()
        _POOLS.clear()


def _ask_external(asked: Question, media_type: str) -> bytes:
    """The store at GRAPH_URL answers under its own limits; only the time-out is ours."""
    form = {
        "query": asked.query,
        "default-graph-uri": list(asked.default_graphs),
        "named-graph-uri": list(asked.named_graphs),
    }
    try:
        response = httpx.post(
            f"{settings.GRAPH_URL.rstrip('/')}/query",
            data=form,
            headers={"Accept": media_type},
            timeout=settings.SPARQL_TIMEOUT_S,
        )
    except httpx.TimeoutException as error:
        detail = f"the store did not answer within {settings.SPARQL_TIMEOUT_S:g} s"
        raise QueryFailed("time", detail) from error
    except httpx.TransportError as error:
        raise QueryFailed("failed", "the store cannot be reached") from error
    if response.status_code == httpx.codes.BAD_REQUEST:
        raise QueryFailed("syntax", response.text)
    if response.is_error:
        raise QueryFailed("failed", f"the store answered {response.status_code}")
    return response.content
