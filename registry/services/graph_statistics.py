"""How much the graph holds of what, counted by queries under the same limits as everybody's."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pyoxigraph as ox
from django.conf import settings

from ontology.query_guard import QueryForm
from ontology.readers import QueryFailed
from ontology.results import TableFormat
from ontology.service_description import GraphStatistics
from ontology.store_files import StoreFiles, store_files
from registry.services.sparql import Question, answer

_PREDICATES = "SELECT ?key (COUNT(*) AS ?n) { ?s ?key ?o } GROUP BY ?key"
_CLASSES = "SELECT ?key (COUNT(?s) AS ?n) { ?s a ?key FILTER isIRI(?key) } GROUP BY ?key"
_GRAPHS = "SELECT ?key (COUNT(*) AS ?n) { GRAPH ?key { ?s ?p ?o } } GROUP BY ?key"
_ENTITIES = "SELECT (COUNT(DISTINCT ?s) AS ?n) { ?s ?p ?o FILTER isIRI(?s) }"
_SUBJECTS = "SELECT (COUNT(DISTINCT ?s) AS ?n) { ?s ?p ?o }"
_OBJECTS = "SELECT (COUNT(DISTINCT ?o) AS ?n) { ?s ?p ?o }"
_GRAPH_COUNT = "SELECT (COUNT(DISTINCT ?g) AS ?n) { GRAPH ?g { } }"


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
                self._counted = _count()
                self._version = version
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


def _count() -> GraphStatistics:
    graphs = _number(_GRAPH_COUNT)
    listed = graphs is not None and graphs <= settings.SPARQL_LISTED_GRAPHS_MAX
    return GraphStatistics(
        triples_by_predicate=_numbers(_PREDICATES),
        instances_by_class=_numbers(_CLASSES),
        entities=_number(_ENTITIES),
        subjects=_number(_SUBJECTS),
        objects=_number(_OBJECTS),
        named_graphs=graphs,
        triples_by_graph=(_numbers(_GRAPHS) if listed else None) or {},
    )


def _number(query: str) -> int | None:
    rows = _ask(query)
    return None if rows is None else int(next(iter(rows))["n"].value)


def _numbers(query: str) -> Mapping[str, int] | None:
    rows = _ask(query)
    return None if rows is None else {row["key"].value: int(row["n"].value) for row in rows}


def _ask(query: str) -> ox.QuerySolutions | None:
    """The solutions, or None where counting takes more than a query may take."""
    try:
        found = answer(Question(query, QueryForm.SELECT), TableFormat.JSON)
    except QueryFailed:
        return None
    return _solutions(ox.parse_query_results(found, format=ox.QueryResultsFormat.JSON))


def _solutions(found: ox.QuerySolutions | ox.QueryBoolean) -> ox.QuerySolutions:
    assert isinstance(found, ox.QuerySolutions)  # every query above is a SELECT
    return found
