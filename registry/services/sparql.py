"""Users' questions to the knowledge graph."""

from __future__ import annotations

import atexit
import threading
import time
from dataclasses import dataclass, field
from typing import TypeAlias

from django.conf import settings

from ontology import questions as competency
from ontology.query_guard import QueryForm, QueryRefused, examine, refuse_many_steps
from ontology.readers import Asker, ReaderPool


@dataclass(frozen=True, slots=True)
class Question:
    """A query that passed the guard, and the dataset that its client named (protocol, 2.1.4)."""

    query: str
    form: QueryForm
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()
    began: float = field(default_factory=time.monotonic)  # its time runs while it is looked at too


def offered() -> list[competency.Question]:
    """Questions that run as they are, for those who would rather choose than write."""
    return [each for each in competency.questions() if not each.parameters]


def offered_to_fill_in() -> list[competency.Question]:
    """Questions of certain devices, variants and so on: first their parameters need terms."""
    return [each for each in competency.questions() if each.parameters]


def question(query: str, default_graphs: list[str], named_graphs: list[str]) -> Question:
    """The question, or QueryRefused where this endpoint does not run it."""
    began = time.monotonic()
    if len(query.encode()) > settings.SPARQL_MAX_QUERY_BYTES:
        raise QueryRefused(f"the query is longer than {settings.SPARQL_MAX_QUERY_BYTES:,} bytes")
    form = examine(query)
    if settings.GRAPH_URL:
        refuse_many_steps(query, settings.SPARQL_EXTERNAL_MAX_STEPS)
    return Question(query, form, tuple(default_graphs), tuple(named_graphs), began)


def answer(asked: Question, media_type: str, asker: Asker) -> bytes:
    """The answer in that media type; QueryFailed where there is none within the asker's limits."""
    graphs = (asked.default_graphs, asked.named_graphs)
    return _pool().run(asked.query, media_type, asker, *graphs, began=asked.began)


def warm_up() -> None:
    """Start readers before the first question comes."""
    _pool().warm_up()


_Key: TypeAlias = tuple[str, int, int, int]
_POOLS: dict[_Key, ReaderPool] = {}
_POOLS_LOCK = threading.Lock()


def _pool() -> ReaderPool:
    key = (
        str(settings.GRAPH_URL or settings.GRAPH_DIR),
        settings.SPARQL_READERS,
        settings.SPARQL_KEPT_READERS,
        settings.SPARQL_WARM_READERS,
    )
    with _POOLS_LOCK:
        if key not in _POOLS:
            _POOLS[key] = ReaderPool(*key)
        return _POOLS[key]


@atexit.register
def close_pools() -> None:
    """End every idle reader; the next question starts new ones."""
    with _POOLS_LOCK:
        for pool in _POOLS.values():
            pool.close()
        _POOLS.clear()
