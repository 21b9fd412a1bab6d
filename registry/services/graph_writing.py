"""Write projected graphs to a store: many in one update, and one that is at fault by itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import structlog

from ontology.graph import VERDICT_EDGES
from ontology.store import GraphStore, StoreRefused
from ontology.updates import Graphs
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
    adding = _Batch(store, store.add_graphs, ADDED_TRIPLES)
    replacing = _Batch(store, store.replace_graphs, REPLACED_TRIPLES)
    for each in projected:
        iri = graph_iri(kind, each.key)
        is_known = present is None or iri in present
        (replacing if is_known else adding).take(iri, each)
    return adding.write() + replacing.write()


def write_columns(store: GraphStore, digests: Sequence[str], bare: BareBoard) -> None:
    """Say in the graph of each variant's verdicts what came of judging it on these profiles."""
    columns = project_columns(digests, bare)
    gone = [graph_iri(SubjectKind.PROFILE, digest) for digest in digests]
    for iri in dict.fromkeys([*gone, *columns]):
        store.replace_links(iri, VERDICT_EDGES, columns.get(iri, {}))


class _Batch:
    """Graphs that are written together as soon as they hold enough triples; no more are kept."""

    def __init__(self, store: GraphStore, write: Callable[[Graphs], None], triples: int) -> None:
        self._store = store
        self._write = write
        self._enough = triples
        self._graphs: dict[str, Projected] = {}
        self._size = 0
        self._written = 0

    def take(self, iri: str, found: Projected) -> None:
        self._graphs[iri] = found
        self._size += len(found.triples or ())
        if self._size >= self._enough:
            self.write()

    def write(self) -> int:
        """Write what is left; how many graphs were written in all."""
        batch, self._graphs, self._size = self._graphs, {}, 0
        if not batch:
            return self._written
        try:
            self._write(_triples(batch))
            self._written += len(batch)
        except (StoreRefused, ProjectionFailed):
            self._written += _one_by_one(self._store, batch)
        return self._written


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
