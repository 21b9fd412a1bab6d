"""Our own store on disk, read by one user's query while its server writes."""

from __future__ import annotations

from typing import Any

import pyoxigraph as ox

from ontology.query_dataset import BASE_IRI, UnknownGraph, graphs_of
from ontology.query_request import Request
from ontology.store_files import StoreFiles, store_files


class LocalStore:
    """The store on disk as it is now, opened anew only when its files are others than before."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._files: StoreFiles = frozenset()
        self._store: ox.Store | None = None

    def current(self) -> ox.Store:
        """The store with everything that was committed before this call.

        The files are looked at before they are opened: what is committed in between is seen now,
        and opened for once more at the next call.
        """
        files = store_files(self._path)
        while self._store is None or files != self._files:
            self._store = None  # closed first, so that two are never open at once
            try:
                self._store, self._files = ox.Store.read_only(self._path), files
            except (OSError, RuntimeError):
                # The writer may have removed a file between two looks of the engine.
                before, files = files, store_files(self._path)
                if files == before:
                    raise
        return self._store

    def prepare(self) -> None:
        """Open it, if it is not open as it is now."""
        self.current()

    def query(self, request: Request) -> ox.QuerySolutions | ox.QueryBoolean | ox.QueryTriples:
        """What the store says now."""
        store = self.current()
        return store.query(request.query, base_iri=BASE_IRI, **_dataset(store, request))


def _dataset(store: ox.Store, request: Request) -> dict[str, Any]:
    """The protocol's dataset (SPARQL 1.1 Protocol, 2.1.4), or the query's own, or all graphs.

    A graph that a parameter names and the store has not is empty: a store keeps no empty graphs, so
    the two are the same. FROM says by the letter that a document is to be read, so it is refused.
    """
    if not request.default_graphs and not request.named_graphs:
        own = graphs_of(request.query)
        for iri in own:
            if not _holds(store, iri):
                raise UnknownGraph(iri)
        return {"use_default_graph_as_union": not own}
    return {
        "default_graph": [ox.NamedNode(iri) for iri in request.default_graphs],
        "named_graphs": [ox.NamedNode(iri) for iri in request.named_graphs],
    }


def _holds(store: ox.Store, iri: str) -> bool:
    try:
        return store.contains_named_graph(ox.NamedNode(iri))
    except ValueError:  # no IRI at all
        return False
