"""How much the graph holds of what, counted by queries under the same limits as everybody's."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import pyoxigraph as ox
from django.conf import settings

from ontology.query_guard import QueryForm
from ontology.readers import QueryFailed
from ontology.results import TableFormat
from ontology.service_description import GraphStatistics
from ontology.store_files import StoreFiles, store_files
from registry.services.query_limits import ourselves
from registry.services.sparql import Question, answer

_PREDICATES = "SELECT ?key (COUNT(*) AS ?n) { ?s ?key ?o } GROUP BY ?key"
_CLASSES = "SELECT ?key (COUNT(?s) AS ?n) { ?s a ?key FILTER isIRI(?key) } GROUP BY ?key"
_GRAPHS = "SELECT ?key (COUNT(*) AS ?n) { GRAPH ?key { ?s ?p ?o } } GROUP BY ?key"
_ENTITIES = "SELECT (COUNT(DISTINCT ?s) AS ?n) { ?s ?p ?o FILTER isIRI(?s) }"
_SUBJECTS = "SELECT (COUNT(DISTINCT ?s) AS ?n) { ?s ?p ?o }"
_OBJECTS = "SELECT (COUNT(DISTINCT ?o) AS ?n) { ?s ?p ?o }"
_GRAPH_COUNT = "SELECT (COUNT(DISTINCT ?g) AS ?n) { GRAPH ?g { } }"

_LASTING = {"time", "memory", "rows", "size"}  # failures that the same graph brings again


class _Kept:
    """The last statistics, for as long as the store's files stay as they were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version: StoreFiles | None = None
        self._counted = GraphStatistics()

    def statistics(self) -> GraphStatistics:
        """Counted anew where the store has changed; one caller counts, others wait for it."""
        with self._lock:
            version = _version()
            if version is None or version != self._version:
                counting = _Counting()
                self._counted = counting.statistics()
                self._version = version if counting.lasting else None
            return self._counted


statistics = _Kept().statistics


def _version() -> StoreFiles | None:
    """What stays as it is while the graph does; None where there is no way to tell."""
    if settings.GRAPH_URL:
        return None
    try:
        return store_files(settings.GRAPH_DIR)
    except FileNotFoundError:  # nothing was written yet
        return None


class _Counting:
    """One count of everything; it begins no query once a query's time is over for all of them."""

    def __init__(self) -> None:
        self._until = time.monotonic() + settings.SPARQL_TIMEOUT_S
        self.lasting = True  # False where something failed that may go well the next time

    def statistics(self) -> GraphStatistics:
        graphs = self._number(_GRAPH_COUNT)
        listed = graphs is not None and graphs <= settings.SPARQL_LISTED_GRAPHS_MAX
        return GraphStatistics(
            named_graphs=graphs,
            triples_by_predicate=self._numbers(_PREDICATES),
            instances_by_class=self._numbers(_CLASSES),
            triples_by_graph=(self._numbers(_GRAPHS) if listed else None) or {},
            subjects=self._number(_SUBJECTS),
            entities=self._number(_ENTITIES),
            objects=self._number(_OBJECTS),
        )

    def _number(self, query: str) -> int | None:
        rows = self._ask(query)
        return None if rows is None else int(next(iter(rows))["n"].value)

    def _numbers(self, query: str) -> Mapping[str, int] | None:
        rows = self._ask(query)
        return None if rows is None else {row["key"].value: int(row["n"].value) for row in rows}

    def _ask(self, query: str) -> ox.QuerySolutions | None:
        """The solutions, or None where counting takes more than a query may take."""
        if time.monotonic() > self._until:
            return None
        try:
            found = answer(
                Question(query, QueryForm.SELECT), TableFormat.JSON, ourselves("statistics")
            )
        except QueryFailed as failed:
            self.lasting = self.lasting and failed.kind in _LASTING
            return None
        return _solutions(ox.parse_query_results(found, format=ox.QueryResultsFormat.JSON))


def _solutions(found: ox.QuerySolutions | ox.QueryBoolean) -> ox.QuerySolutions:
    assert isinstance(found, ox.QuerySolutions)  # every query above is a SELECT
    return found
