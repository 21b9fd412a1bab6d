"""Users' questions to the knowledge graph."""

from __future__ import annotations

import atexit
import threading
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from ontology import questions as competency
from ontology.query_guard import QueryForm, QueryRefused, examine
from ontology.readers import QueryLimits, ReaderPool
from ontology.remote_queries import RemoteStore


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
        store = RemoteStore(settings.GRAPH_URL, settings.SPARQL_TIMEOUT_S)
        return store.run(asked.query, media_type, asked.default_graphs, asked.named_graphs)
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
