"""Write projected graphs to a store: many in one update, and one that is at fault by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

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
    fresh: dict[str, Projected] = {}
    known: dict[str, Projected] = {}
    for each in projected:
        iri = graph_iri(kind, each.key)
        is_known = present is None or iri in present
        (known if is_known else fresh)[iri] = each
    written = sum(_add(store, batch) for batch in _batches(fresh, ADDED_TRIPLES))
    return written + sum(_replace(store, batch) for batch in _batches(known, REPLACED_TRIPLES))


def write_columns(store: GraphStore, digests: Sequence[str], bare: BareBoard) -> None:
    """Say in the graph of each variant's verdicts what came of judging it on these profiles."""
    columns = project_columns(digests, bare)
    gone = [graph_iri(SubjectKind.PROFILE, digest) for digest in digests]
    for iri in dict.fromkeys([*gone, *columns]):
        store.replace_links(iri, VERDICT_EDGES, columns.get(iri, {}))


def _batches(graphs: dict[str, Projected], triples: int) -> Iterator[dict[str, Projected]]:
    batch: dict[str, Projected] = {}
    size = 0
    for iri, found in graphs.items():
        batch[iri] = found
        size += len(found.triples or ())
        if size >= triples:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def _add(store: GraphStore, batch: dict[str, Projected]) -> int:
    try:
        store.add_graphs(_triples(batch))
    except (StoreRefused, ProjectionFailed):
        return _one_by_one(store, batch)
    return len(batch)


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
