"""Write projected graphs to a store: many in one update, and one that is at fault by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import structlog

from ontology.graph import VERDICT_EDGES
from ontology.store import GraphStore, StoreRefused
from ontology.updates import Graphs, written
from registry.models import SubjectKind
from registry.projection.facts import BareBoard
from registry.projection.subjects import Projected, graph_iri
from registry.projection.verdicts import project_columns

log = structlog.get_logger(__name__)

# What one update holds, so that it stays within the time-out of a call.
REPLACED_TRIPLES = 20_000
ADDED_TRIPLES = 200_000


class ProjectionFailed(Exception):
    """A row is malformed."""


def write_graphs(
    store: GraphStore,
    kind: SubjectKind,
    projected: Iterable[Projected],
    present: Collection[str] | None,
) -> int:
    """Bring these graphs up to date; how many were.

    `present` names the graphs that the store has, if that is known: the others are only added. One
    that cannot be made, or that the store refuses, is logged and left as it is: only an edit of its
    row can mend it.
    """
    with ThreadPoolExecutor(max_workers=1) as sender:
        adding, replacing = _Adding(store, sender), _Replacing(store)
        for each in projected:
            iri = graph_iri(kind, each.key)
            is_known = present is None or iri in present
            (replacing if is_known else adding).take(iri, each)
        return adding.finish() + replacing.finish()


def write_columns(store: GraphStore, digests: Sequence[str], bare: BareBoard) -> None:
    """Say in the graph of each variant's verdicts what came of judging it on these profiles."""
    profiles = [graph_iri(SubjectKind.PROFILE, digest) for digest in digests]
    store.replace_links(profiles, VERDICT_EDGES, project_columns(digests, bare))


class _Adding:
    """Graphs that the store lacks, as text, which is small; one batch goes as the next is made."""

    def __init__(self, store: GraphStore, sender: Executor) -> None:
        self._store = store
        self._sender = sender
        self._sent: Future[int] | None = None
        self._graphs: dict[str, bytes] = {}
        self._size = 0
        self._written = 0

    def take(self, iri: str, found: Projected) -> None:
        triples = found.triples or []
        if found.error is not None:
            log.error("graph_left_as_it_was", graph=iri, exc_info=found.error)
            return
        self._graphs[iri] = written(iri, triples)
        self._size += len(triples)
        if self._size >= ADDED_TRIPLES:
            self._send()

    def finish(self) -> int:
        """Send what is left; how many graphs were added in all."""
        self._send()
        self._settle()
        return self._written

    def _send(self) -> None:
        self._settle()
        self._sent = self._sender.submit(_add, self._store, self._graphs)
        self._graphs, self._size = {}, 0

    def _settle(self) -> None:
        if self._sent is not None:
            self._written += self._sent.result()
            self._sent = None


def _add(store: GraphStore, graphs: dict[str, bytes]) -> int:
    if not any(graphs.values()):
        return len(graphs)
    try:
        store.add_graphs(graphs.values())
    except StoreRefused:
        if len(graphs) > 1:
            return sum(_add(store, {iri: graph}) for iri, graph in graphs.items())
        log.exception("graph_left_as_it_was", graph=next(iter(graphs)))
        return 0
    return len(graphs)


class _Replacing:
    """Graphs that the store may have, replaced in one update as soon as they are many triples."""

    def __init__(self, store: GraphStore) -> None:
        self._store = store
        self._graphs: dict[str, Projected] = {}
        self._size = 0
        self._written = 0

    def take(self, iri: str, found: Projected) -> None:
        self._graphs[iri] = found
        self._size += len(found.triples or ())
        if self._size >= REPLACED_TRIPLES:
            self.finish()

    def finish(self) -> int:
        """Replace what is left; how many graphs were replaced in all."""
        batch, self._graphs, self._size = self._graphs, {}, 0
        if batch:
            self._written += _replace(self._store, batch)
        return self._written


def _replace(store: GraphStore, batch: dict[str, Projected]) -> int:
    try:
        store.replace_graphs(_triples(batch))
    except (StoreRefused, ProjectionFailed):
        return _one_by_one(store, batch)
    return len(batch)


def _one_by_one(store: GraphStore, batch: dict[str, Projected]) -> int:
    written = 0
    for iri, found in batch.items():
        try:
            store.replace_graphs(_triples({iri: found}))
        except (StoreRefused, ProjectionFailed):
            log.exception("graph_left_as_it_was", graph=iri)
        else:
            written += 1
    return written


def _triples(batch: dict[str, Projected]) -> Graphs:
    for iri, found in batch.items():
        if found.error is not None:
            raise ProjectionFailed(f"{iri}: {found.error!r}") from found.error
    return {iri: found.triples or [] for iri, found in batch.items()}
