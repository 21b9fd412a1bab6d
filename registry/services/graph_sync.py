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

from ontology.namespaces import ID, ONTOLOGY, expand
from ontology.store import (
    GraphStore,
    LocalOxigraph,
    OxigraphServer,
    StoreRefused,
    StoreUnreachable,
)
from ontology.vocabulary import materialised_triples, version_triple
from registry.models import GraphChange, SubjectKind, Variant
from registry.projection.facts import BareBoard
from registry.projection.subjects import MALFORMED, all_keys, graph_iri, project_each
from registry.projection.verdicts import JudgedProfiles, keeps_fits_only
from registry.services.graph_outbox import COLUMN, EVERY, mark_all, mark_everything
from registry.services.graph_writing import write_columns, write_graphs
from registry.services.pieces import chunks

log = structlog.get_logger(__name__)

MarksByKey: TypeAlias = dict[str, list[int]]  # key of a subject -> primary keys of its marks

# What is projected together, to bound what is in memory: subjects, and pairs of their verdicts.
AT_ONCE = 200
PAIRS_AT_ONCE = 100_000
COLUMN_PAIRS_AT_ONCE = 10_000  # of which one update states up to some ten thousand edges
LOOKED_UP_ABOVE = 500  # subjects, from where on it pays to ask which graphs the store has


def graph_store() -> OxigraphServer:
    """The store of this installation, from its settings; the caller closes it."""
    if settings.GRAPH_URL:
        return OxigraphServer(settings.GRAPH_URL, settings.NETWORK_TIMEOUT_S)
    local = f"http://{settings.GRAPH_HOST}:{settings.GRAPH_PORT}"
    return LocalOxigraph(local, settings.NETWORK_TIMEOUT_S)


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
        if kind is SubjectKind.VERDICTS:
            done[kind] += _catch_up_verdicts(store, by_key, bare)
        else:
            done[kind] += _catch_up_kind(store, kind, by_key, bare)
    return True


def _catch_up_kind(
    store: GraphStore,
    kind: SubjectKind,
    by_key: MarksByKey,
    bare: BareBoard,
    judged: JudgedProfiles | None = None,
) -> int:
    """Work off the marks of one kind; how many graphs were brought up to date."""
    every = by_key.pop(EVERY, None)
    keys = dict.fromkeys([*by_key, *(() if every is None else all_keys(kind))])
    many = every is not None and len(keys) > LOOKED_UP_ABOVE
    present = stored_graphs(store, graph_iri(kind, "")) if many else None
    written = 0
    piece = _at_once(judged)
    # Where all are made, small pieces are written together, and their marks end with the last.
    for group in chunks(list(keys), piece if every is None else max(1, len(keys))):
        pieces = chunks(group, piece)
        projected = (each for few in pieces for each in project_each(kind, few, bare, judged))
        written += write_graphs(store, kind, projected, present)
        _remove(kind, {key: by_key[key] for key in group if key in by_key})
    _remove(kind, {EVERY: every} if every else {})
    return written


def _at_once(judged: JudgedProfiles | None) -> int:
    if judged is None:
        return AT_ONCE
    return max(1, min(AT_ONCE, PAIRS_AT_ONCE // max(1, len(judged.columns))))


def _catch_up_verdicts(store: GraphStore, by_key: MarksByKey, bare: BareBoard) -> int:
    """Rows, which are variants, then columns, which are new profiles; all where all are marked.

    Where the graph keeps other verdicts than it should by the number of pairs, all are made anew.
    """
    if _keeps_other_verdicts(store):
        by_key.setdefault(EVERY, [])
    columns = {key: by_key.pop(key) for key in list(by_key) if key.startswith(COLUMN)}
    to_add = [] if EVERY in by_key else list(columns)
    written = 0
    if by_key:
        judged = JudgedProfiles.read(bare)
        written = _catch_up_kind(store, SubjectKind.VERDICTS, by_key, bare, judged)
    _catch_up_columns(store, to_add, bare)
    _remove(SubjectKind.VERDICTS, columns)
    return written + len(to_add)


def _catch_up_columns(store: GraphStore, keys: Sequence[str], bare: BareBoard) -> None:
    """A variant of which nothing can be said spoils every column; row by row it spoils its own."""
    for chunk in chunks(keys, max(1, COLUMN_PAIRS_AT_ONCE // max(1, Variant.objects.count()))):
        try:
            write_columns(store, [key.removeprefix(COLUMN) for key in chunk], bare)
        except (*MALFORMED, StoreRefused):
            log.exception("columns_left_to_rows", columns=len(chunk))
            mark_all([(SubjectKind.VERDICTS, EVERY)])
            return


def _keeps_other_verdicts(store: GraphStore) -> bool:
    kept = "fits" if keeps_fits_only() else "all"
    extent = ox.NamedNode(expand("tf:verdictsKept"))
    return store.ask(f"ASK {{ ?variant {extent} ?kept FILTER(?kept != {ox.Literal(kept)}) }}")


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
    store.flush()
    return done


def expected_graphs() -> Iterator[str]:
    """The name of every graph that the inventory projects."""
    for kind in SubjectKind:
        for key in all_keys(kind):
            yield graph_iri(kind, key)


def stored_graphs(store: GraphStore, beginning: str = "") -> set[str]:
    """The names of our graphs that the store holds; it may hold others, which are not ours."""
    among = f"FILTER(STRSTARTS(STR(?g), {ox.Literal(beginning)}))"
    rows = store.select(f"SELECT ?g WHERE {{ GRAPH ?g {{}} {among} }}")
    names = {row["g"].value for row in rows if isinstance(row["g"], ox.NamedNode)}
    return {name for name in names if name == ONTOLOGY or name.startswith(ID)}


def _grouped(marks: Iterable[GraphChange]) -> Mapping[SubjectKind, MarksByKey]:
    grouped: dict[SubjectKind, MarksByKey] = defaultdict(lambda: defaultdict(list))
    for each in marks:
        grouped[SubjectKind(each.kind)][each.subject].append(each.pk)
    return grouped


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
