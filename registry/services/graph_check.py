"""Does the graph say what the inventory says? Compared graph by graph, triple by triple."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyoxigraph as ox

from ontology.namespaces import ONTOLOGY
from ontology.store import GraphStore, MemoryStore
from ontology.validation import incompletenesses
from ontology.vocabulary import materialised_triples
from registry.models import Release, SubjectKind, Variant
from registry.projection.facts import BareBoard
from registry.projection.keys import subject_of
from registry.projection.subjects import Projected, all_keys, graph_iri, project_each
from registry.services.graph_sync import AT_ONCE, expected_graphs, stored_graphs
from registry.services.pieces import chunks


def differences(store: GraphStore) -> Iterator[str]:
    """A sentence for every difference; none means that the two agree. Raises StoreUnreachable."""
    expected = {ONTOLOGY, *expected_graphs()}
    for iri in sorted(stored_graphs(store) - expected):
        yield f"<{iri}> is in the graph, but there is no such subject in the inventory"
    yield from _compare(store, ONTOLOGY, materialised_triples())
    bare = BareBoard.from_settings()
    for kind in SubjectKind:
        for keys in chunks(all_keys(kind), AT_ONCE):
            for found in project_each(kind, keys, bare):
                yield from _check(store, graph_iri(kind, found.key), found)


def incomplete() -> Iterator[str]:
    """A sentence for everything that a description should say and does not (shapes.ttl).

    Reads the inventory, not the store. An incomplete description is no error: what it leaves out
    makes verdicts unknown. Reference models are left out: nobody here can complete a publication.
    """
    bare = BareBoard.from_settings()
    published = _published()
    for kind in SubjectKind:
        own = [key for key in all_keys(kind) if (kind, key) not in published]
        for keys in chunks(own, AT_ONCE):
            projected = project_each(kind, keys, bare)
            triples = [triple for found in projected for triple in found.triples or ()]
            yield from (each.sentence for each in incompletenesses(triples))


def _published() -> set[tuple[SubjectKind, str]]:
    """The subjects that reference models consist of."""
    releases = Release.objects.filter(model__reference=True).select_related("model")
    variants = Variant.objects.filter(release__model__reference=True)
    return {subject_of(row) for rows in (releases, variants) for row in rows.iterator()}


def _check(store: GraphStore, iri: str, found: Projected) -> Iterator[str]:
    if found.error is not None:
        yield f"<{iri}> cannot be made, because its row is malformed: {found.error!r}"
    else:
        yield from _compare(store, iri, found.triples or [])


def _compare(store: GraphStore, iri: str, expected: Iterable[ox.Triple]) -> Iterator[str]:
    """Both sides pass through the same engine, which writes numbers and times in one way."""
    reference = MemoryStore()
    reference.replace_graph(iri, expected)
    query = f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ GRAPH {ox.NamedNode(iri)} {{ ?s ?p ?o }} }}"
    wanted, found = set(reference.construct(query)), set(store.construct(query))
    yield from _sentences(iri, "lacks", wanted - found)
    yield from _sentences(iri, "has but should not have", found - wanted)


def _sentences(iri: str, verb: str, triples: Iterable[ox.Triple]) -> Iterator[str]:
    for triple in sorted(str(triple) for triple in triples):
        yield f"<{iri}> {verb}: {triple}"
