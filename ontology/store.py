"""Where the graph is kept: five methods, behind which any SPARQL 1.1 store may stand.

Queries read all named graphs together. `replace_graph` is one update, so a reader sees the old
graph or the new one and never half of either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeAlias

import httpx
import pyoxigraph as ox

Term: TypeAlias = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple
Row: TypeAlias = Mapping[str, Term]


class StoreUnreachable(Exception):
    """The store did not do it, now or from here: trying again later is right."""


class StoreRefused(Exception):
    """The store will not do this, whenever it is asked: the request itself is at fault."""


# Bad request, not acceptable, content too large, unsupported media type (RFC 9110).
_REFUSALS = frozenset({400, 406, 413, 415})


class GraphStore(Protocol):
    """What the rest of the product asks of a store; raises StoreUnreachable or StoreRefused."""

    def select(self, query: str) -> list[Row]:
        """The solutions of a SELECT query; an unbound variable is left out of its row."""
        ...

    def ask(self, query: str) -> bool:
        """The answer to an ASK query."""
        ...

    def construct(self, query: str) -> list[ox.Triple]:
        """The triples of a CONSTRUCT or DESCRIBE query."""
        ...

    def replace_graph(self, iri: str, triples: Iterable[ox.Triple]) -> None:
        """Make a named graph hold exactly these triples."""
        ...

    def drop_graph(self, iri: str) -> None:
        """Remove a named graph, if there is one."""
        ...


class MemoryStore:
    """A store in this process, for tests and for comparing; gone when it is."""

    def __init__(self) -> None:
        self._store = ox.Store()

    def select(self, query: str) -> list[Row]:
        """The solutions of a SELECT query."""
        return _rows(self._query(query))

    def ask(self, query: str) -> bool:
        """The answer to an ASK query."""
        return _boolean(self._query(query))

    def construct(self, query: str) -> list[ox.Triple]:
        """The triples of a CONSTRUCT query."""
        result = self._query(query)
        if not isinstance(result, ox.QueryTriples):
            raise StoreRefused("this is not a CONSTRUCT query")
        return list(result)

    def replace_graph(self, iri: str, triples: Iterable[ox.Triple]) -> None:
        """Make a named graph hold exactly these triples."""
        try:
            self._store.update(_replacement(iri, triples))
        except SyntaxError as error:
            raise StoreRefused(str(error)) from error

    def drop_graph(self, iri: str) -> None:
        """Remove a named graph, if there is one."""
        self._store.remove_graph(ox.NamedNode(iri))

    def _query(self, query: str) -> ox.QuerySolutions | ox.QueryBoolean | ox.QueryTriples:
        try:
            return self._store.query(query, use_default_graph_as_union=True)
        except (SyntaxError, ValueError) as error:
            raise StoreRefused(str(error)) from error


class OxigraphServer:
    """An `oxigraph serve` process, or another store that has /query and /update under one address.

    Keeps its connections; may be shared between threads.
    """

    def __init__(self, base_url: str, timeout_s: float) -> None:
        self._base = base_url.rstrip("/")
        self._client = httpx.Client(timeout=timeout_s)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def select(self, query: str) -> list[Row]:
        """The solutions of a SELECT query."""
        return _rows(self._results(query))

    def ask(self, query: str) -> bool:
        """The answer to an ASK query."""
        return _boolean(self._results(query))

    def construct(self, query: str) -> list[ox.Triple]:
        """The triples of a CONSTRUCT query."""
        answer = self._ask_server(query, ox.RdfFormat.N_TRIPLES.media_type)
        return [quad.triple for quad in ox.parse(answer, format=ox.RdfFormat.N_TRIPLES)]

    def replace_graph(self, iri: str, triples: Iterable[ox.Triple]) -> None:
        """Make a named graph hold exactly these triples."""
        self._update(_replacement(iri, triples))

    def drop_graph(self, iri: str) -> None:
        """Remove a named graph, if there is one."""
        self._update(f"DROP SILENT GRAPH {ox.NamedNode(iri)}")

    def _results(self, query: str) -> ox.QuerySolutions | ox.QueryBoolean:
        form = ox.QueryResultsFormat.JSON
        return ox.parse_query_results(self._ask_server(query, form.media_type), format=form)

    def _ask_server(self, query: str, accept: str) -> bytes:
        # A parameter of Oxigraph's; other stores ignore it and are configured to do the same.
        path = "/query?union-default-graph"
        return self._post(path, query, "application/sparql-query", {"Accept": accept})

    def _update(self, update: str) -> None:
        self._post("/update", update, "application/sparql-update", {})

    def _post(self, path: str, body: str, media_type: str, headers: Mapping[str, str]) -> bytes:
        try:
            response = self._client.post(
                self._base + path,
                content=body.encode(),
                headers={"Content-Type": f"{media_type}; charset=utf-8", **headers},
            )
        except httpx.TransportError as error:
            raise StoreUnreachable(f"{self._base}: {error or type(error).__name__}") from error
        if response.is_error:
            kind = StoreRefused if response.status_code in _REFUSALS else StoreUnreachable
            raise kind(f"{self._base} answered {response.status_code}: {response.text}")
        return response.content


def _replacement(iri: str, triples: Iterable[ox.Triple]) -> str:
    graph = ox.NamedNode(iri)
    drop = f"DROP SILENT GRAPH {graph}"
    body = " .\n".join(str(triple) for triple in triples)
    return f"{drop} ;\nINSERT DATA {{ GRAPH {graph} {{\n{body}\n}} }}" if body else drop


def _rows(result: object) -> list[Row]:
    if not isinstance(result, ox.QuerySolutions):
        raise StoreRefused("this is not a SELECT query")
    names = [variable.value for variable in result.variables]
    return [
        {name: solution[name] for name in names if solution[name] is not None}
        for solution in result
    ]


def _boolean(result: object) -> bool:
    if not isinstance(result, ox.QueryBoolean):
        raise StoreRefused("this is not an ASK query")
    return bool(result)
