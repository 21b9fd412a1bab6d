"""Bring the graph up to the inventory: read marks, project, replace, remove the marks.

No transaction is open while the store is asked. Whatever is interrupted leaves its marks, so it is
done again; whatever is done twice comes out the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import pyoxigraph as ox
import structlog
from django.conf import settings

from ontology.namespaces import ID, ONTOLOGY
from ontology.store import GraphStore, OxigraphServer, StoreRefused, StoreUnreachable
from ontology.vocabulary import materialised_triples, version_triple
from registry.models import GraphChange, SubjectKind
from registry.projection.facts import BareBoard
from registry.projection.subjects import Projected, all_keys, graph_iri, project_each
from registry.services.graph_outbox import EVERY, mark_all, mark_everything
from registry.services.pieces import chunks

log = structlog.get_logger(__name__)

MarksByKey: TypeAlias = dict[str, list[int]]  # key of a subject -> primary keys of its marks

AT_ONCE = 200  # subjects that are projected together, to bound what is in memory


def graph_store() -> OxigraphServer:
    """The store of this installation, from its settings; the caller closes it."""
    local = f"http://{settings.GRAPH_HOST}:{settings.GRAPH_PORT}"
    return OxigraphServer(settings.GRAPH_URL or local, settings.NETWORK_TIMEOUT_S)


def drain(store: GraphStore, limit: int = 1000) -> int:
    """Work off at most `limit` marks, oldest first; how many graphs were brought up to date.

    A store that cannot be reached leaves the marks for the next time, and says so in the log.
    """
    done: Counter[SubjectKind] = Counter()
    try:
        catch_up(store, limit, done)
    except StoreUnreachable as error:
        log.warning("graph_unreachable", error=str(error), waiting=GraphChange.objects.count())
    return done.total()


def catch_up(store: GraphStore, limit: int, done: Counter[SubjectKind]) -> bool:
    """As `drain`, but raises StoreUnreachable; adds to `done`. False if nothing was marked."""
    marks = list(GraphChange.objects.order_by("id")[:limit])
    if not marks:
        return False
    publish_ontology(store)
    bare = BareBoard.from_settings()
    for kind, by_key in _grouped(marks).items():
        every = by_key.pop(EVERY, [])
        keys = dict.fromkeys([*by_key, *(all_keys(kind) if every else ())])
        for chunk in chunks(list(keys), AT_ONCE):
            done[kind] += _write(store, kind, chunk, bare)
            _remove(kind, {key: by_key[key] for key in chunk if key in by_key})
        _remove(kind, {EVERY: every} if every else {})
    return True


def publish_ontology(store: GraphStore) -> None:
    """Put the ontology beside the inventory, unless this very text is there already."""
    version = version_triple()
    if not store.ask(f"ASK {{ GRAPH {ox.NamedNode(ONTOLOGY)} {{ {version} }} }}"):
        store.replace_graph(ONTOLOGY, materialised_triples())
        log.info("ontology_published", version=str(version.object))


def rebuild(store: GraphStore) -> Counter[SubjectKind]:
    """Make the whole graph from the inventory; how many graphs of each kind.

    Every subject's graph is replaced in one update each, so readers are never without. Raises
    StoreUnreachable; what was not reached stays marked.
    """
    mark_everything()
    for iri in sorted(stored_graphs(store) - set(expected_graphs()) - {ONTOLOGY}):
        store.drop_graph(iri)
    done: Counter[SubjectKind] = Counter()
    while catch_up(store, 1000, done):
        pass
    return done


def expected_graphs() -> Iterator[str]:
    """The name of every graph that the inventory projects."""
    for kind in SubjectKind:
        for key in all_keys(kind):
            yield graph_iri(kind, key)


def stored_graphs(store: GraphStore) -> set[str]:
    """The names of our graphs that the store holds; it may hold others, which are not ours."""
    rows = store.select("SELECT DISTINCT ?g WHERE { GRAPH ?g { ?s ?p ?o } }")
    names = {row["g"].value for row in rows if isinstance(row["g"], ox.NamedNode)}
    return {name for name in names if name == ONTOLOGY or name.startswith(ID)}


def _grouped(marks: Iterable[GraphChange]) -> Mapping[SubjectKind, MarksByKey]:
    grouped: dict[SubjectKind, MarksByKey] = defaultdict(lambda: defaultdict(list))
    for each in marks:
        grouped[SubjectKind(each.kind)][each.subject].append(each.pk)
    return grouped


def _write(store: GraphStore, kind: SubjectKind, keys: Sequence[str], bare: BareBoard) -> int:
    """Bring these graphs up to date; how many were.

    One that cannot be made, or that the store refuses, is logged and loses its mark: only an edit
    of its row can mend it, and an edit marks it again.
    """
    written = 0
    for found in project_each(kind, keys, bare):
        try:
            _replace(store, graph_iri(kind, found.key), found)
        except (StoreRefused, ProjectionFailed):
            log.exception("graph_left_as_it_was", kind=kind, subject=found.key)
        else:
            written += 1
    return written


class ProjectionFailed(Exception):
    """A row is malformed."""


def _replace(store: GraphStore, iri: str, found: Projected) -> None:
    if found.error is not None:
        raise ProjectionFailed(f"{iri}: {found.error!r}") from found.error
    if found.triples is None:
        store.drop_graph(iri)
    else:
        store.replace_graph(iri, found.triples)


def _remove(kind: SubjectKind, marks: Mapping[str, list[int]]) -> None:
    """Remove exactly the marks that were read: one that came in between is still to be done.

    If some are gone already, another process drained the same subjects meanwhile, and its newer
    state may have been overwritten by ours: those subjects are marked again.
    """
    read = [pk for pks in marks.values() for pk in pks]
    if not read:
        return
    removed, _ = GraphChange.objects.filter(pk__in=read).delete()
    if removed < len(read):
        mark_all((kind, key) for key in marks)
