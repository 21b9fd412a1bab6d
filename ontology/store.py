"""Where the graph is kept: a few methods, behind which any SPARQL 1.1 store may stand.

Queries read all named graphs together. What one call replaces is one update, so a reader sees the
old graphs or the new ones and never half of either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

import httpx
import pyoxigraph as ox

from ontology.namespaces import STATE, expand
from ontology.store_address import StoreAddress
from ontology.updates import Graphs, insertion, link_replacement, replacement, written

Term: TypeAlias = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple
Row: TypeAlias = Mapping[str, Term]


class StoreUnreachable(Exception):
    """The store did not do it, now or from here: trying again later is right."""


class StoreRefused(Exception):
    """The store will not do this, whenever it is asked: the request itself is at fault."""


# Bad request, not acceptable, content too large, unsupported media type (RFC 9110).
_REFUSALS = frozenset({400, 406, 413, 415})
_QUERY_TYPE = "application/sparql-query; charset=utf-8"
_UPDATE_TYPE = "application/sparql-update; charset=utf-8"
_UNFLUSHED_TRIPLES = 20_000  # a reader opens the store within half a second
_STATE_NODE = ox.NamedNode(STATE)
_MODIFIED = ox.NamedNode(expand("dcterms:modified"))


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

    def replace_graphs(self, graphs: Graphs) -> None:
        """Make each of these named graphs hold exactly its triples, none for no graph."""
        ...

    def replace_links(
        self, nodes: Sequence[str], predicates: Sequence[str], graphs: Graphs
    ) -> None:
        """Make these triples all that lead to the nodes by these predicates, in any graph."""
        ...

    def add_graphs(self, graphs: Iterable[bytes]) -> None:
        """Add graphs, each as `updates.written`, of which the store holds nothing; the fastest way.

        Whoever fills a store so need not hold its triples.
        """
        ...

    def flush(self) -> None:
        """Put what was written where readers find it fastest; nothing to do in most stores."""
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
        return rows_of(self._query(query))

    def ask(self, query: str) -> bool:
        """The answer to an ASK query."""
        return boolean_of(self._query(query))

    def construct(self, query: str) -> list[ox.Triple]:
        """The triples of a CONSTRUCT query."""
        result = self._query(query)
        if not isinstance(result, ox.QueryTriples):
            raise StoreRefused("this is not a CONSTRUCT query")
        return list(result)

    def replace_graph(self, iri: str, triples: Iterable[ox.Triple]) -> None:
        """Make a named graph hold exactly these triples."""
        self.replace_graphs({iri: list(triples)})

    def replace_graphs(self, graphs: Graphs) -> None:
        """Make each of these named graphs hold exactly its triples, none for no graph."""
        self._update(replacement(graphs))

    def replace_links(
        self, nodes: Sequence[str], predicates: Sequence[str], graphs: Graphs
    ) -> None:
        """Make these triples all that lead to the nodes by these predicates."""
        self._update(link_replacement(nodes, predicates, graphs))

    def add_graphs(self, graphs: Iterable[bytes]) -> None:
        """Add graphs of which the store holds nothing."""
        self._update(insertion(graphs))

    def flush(self) -> None:
        """Nothing to do here."""

    def drop_graph(self, iri: str) -> None:
        """Remove a named graph, if there is one."""
        self._store.remove_graph(ox.NamedNode(iri))

    def _update(self, update: str) -> None:
        try:
            self._store.update(update)
        except SyntaxError as error:
            raise StoreRefused(str(error)) from error

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
        address = StoreAddress.parse(base_url)
        self._base = address.url
        self._client = httpx.Client(timeout=timeout_s, auth=address.login)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def select(self, query: str) -> list[Row]:
        """The solutions of a SELECT query."""
        return rows_of(self._results(query))

    def ask(self, query: str) -> bool:
        """The answer to an ASK query."""
        return boolean_of(self._results(query))

    def construct(self, query: str) -> list[ox.Triple]:
        """The triples of a CONSTRUCT query."""
        answer = self._ask_server(query, ox.RdfFormat.N_TRIPLES.media_type)
        return [quad.triple for quad in ox.parse(answer, format=ox.RdfFormat.N_TRIPLES)]

    def replace_graph(self, iri: str, triples: Iterable[ox.Triple]) -> None:
        """Make a named graph hold exactly these triples."""
        self.replace_graphs({iri: list(triples)})

    def replace_graphs(self, graphs: Graphs) -> None:
        """Make each of these named graphs hold exactly its triples, none for no graph."""
        self._update(replacement(graphs))

    def replace_links(
        self, nodes: Sequence[str], predicates: Sequence[str], graphs: Graphs
    ) -> None:
        """Make these triples all that lead to the nodes by these predicates."""
        self._update(link_replacement(nodes, predicates, graphs))

    def add_graphs(self, graphs: Iterable[bytes]) -> None:
        """Add graphs of which the store holds nothing."""
        self._update(insertion(graphs))

    def flush(self) -> None:
        """Nothing to do here."""

    def drop_graph(self, iri: str) -> None:
        """Remove a named graph, if there is one."""
        self._update(f"DROP SILENT GRAPH {ox.NamedNode(iri)}")

    def _results(self, query: str) -> ox.QuerySolutions | ox.QueryBoolean:
        form = ox.QueryResultsFormat.JSON
        return ox.parse_query_results(self._ask_server(query, form.media_type), format=form)

    def _ask_server(self, query: str, accept: str) -> bytes:
        # A parameter of Oxigraph's; other stores ignore it and are configured to do the same.
        path = "/query?union-default-graph"
        return self._post(path, query.encode(), _QUERY_TYPE, {"Accept": accept})

    def _update(self, update: str) -> None:
        self._post("/update", update.encode(), _UPDATE_TYPE, {})

    def _post(self, path: str, body: bytes, media_type: str, headers: Mapping[str, str]) -> bytes:
        try:
            response = self._client.post(
                self._base + path,
                content=body,
                headers={"Content-Type": media_type, **headers},
            )
        except httpx.TransportError as error:
            raise StoreUnreachable(f"{self._base}: {error or type(error).__name__}") from error
        if response.is_error:
            kind = StoreRefused if response.status_code in _REFUSALS else StoreUnreachable
            raise kind(f"{self._base} answered {response.status_code}: {response.text}")
        return response.content


class LocalOxigraph(OxigraphServer):
    """Our own `oxigraph serve`, whose files the readers of user's queries open beside it.

    Two things that SPARQL does not offer: filling empty graphs by the bulk loader, and flushing.
    What was written since the last flush lies in a log that every reader works off when it opens
    the store, at about 20 microseconds a triple.
    """

    def __init__(self, base_url: str, timeout_s: float) -> None:
        super().__init__(base_url, timeout_s)
        self._unflushed = 0

    def replace_graphs(self, graphs: Graphs) -> None:
        """Make each of these named graphs hold exactly its triples, none for no graph."""
        super().replace_graphs(graphs)
        self._count(graphs)

    def replace_links(
        self, nodes: Sequence[str], predicates: Sequence[str], graphs: Graphs
    ) -> None:
        """Make these triples all that lead to the nodes by these predicates."""
        super().replace_links(nodes, predicates, graphs)
        self._count(graphs)

    def add_graphs(self, graphs: Iterable[bytes]) -> None:
        """Add graphs of which the store holds nothing; a reader may see a part of them."""
        self._bulk_load(b"".join(graphs))

    def flush(self) -> None:
        """Move what was written from the log into the store's tables.

        The server has no call for it. But the loader, before it puts a table in, has every table in
        memory flushed that overlaps: so one triple is written and then loaded, in each index.
        """
        stamp = ox.Literal(datetime.now(UTC).isoformat())
        triples = [ox.Triple(_STATE_NODE, _MODIFIED, stamp)]
        super().replace_graphs({STATE: triples})
        self._bulk_load(written(STATE, triples))
        self._unflushed = 0

    def _count(self, graphs: Graphs) -> None:
        self._unflushed += sum(len(triples) for triples in graphs.values())
        if self._unflushed >= _UNFLUSHED_TRIPLES:
            self.flush()

    def _bulk_load(self, trig: bytes) -> None:
        self._post("/store?no_transaction", trig, ox.RdfFormat.TRIG.media_type, {})


def rows_of(result: object) -> list[Row]:
    """The solutions of a SELECT; StoreRefused for another form of query."""
    if not isinstance(result, ox.QuerySolutions):
        raise StoreRefused("this is not a SELECT query")
    names = [variable.value for variable in result.variables]
    return [
        {name: solution[name] for name in names if solution[name] is not None}
        for solution in result
    ]


def boolean_of(result: object) -> bool:
    """The answer of an ASK; StoreRefused for another form of query."""
    if not isinstance(result, ox.QueryBoolean):
        raise StoreRefused("this is not an ASK query")
    return bool(result)
