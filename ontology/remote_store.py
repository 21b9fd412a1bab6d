"""A SPARQL store at another address, asked on behalf of one user's query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import httpx
import pyoxigraph as ox

from ontology.query_dataset import BASE_IRI, UnknownGraph, graphs_of
from ontology.query_errors import located
from ontology.query_request import Request, StoreFailed
from ontology.results import GraphFormat
from ontology.store_address import StoreAddress

_BASE = f"BASE <{BASE_IRI}> "  # on the query's first line, so that lines keep their numbers
_TABLE, _GRAPH = ox.QueryResultsFormat.JSON, ox.RdfFormat.N_TRIPLES
_MAX_SAID = 500  # characters of a store's own words that are passed on

_Form: TypeAlias = dict[str, str | list[str]]
Results: TypeAlias = ox.QuerySolutions | ox.QueryBoolean | Iterator[ox.Triple]


class RemoteStore:
    """A store with /query under its address (SPARQL 1.1 Protocol, 2.1.2).

    The same query gets the same answer as from the store on disk: relative IRIs stand upon the same
    base, all graphs are read together unless the query or its client names some, and `FROM` fetches
    nothing. The store is asked for JSON or N-Triples, which are read whole before anything is
    passed on: what it breaks off is an error here. No redirection is followed.
    """

    def __init__(self, address: str) -> None:
        parsed = StoreAddress.parse(address)
        self._address = f"{parsed.url}/query"
        # No time-out of its own: whoever asked kills this process.
        self._client = httpx.Client(timeout=None, auth=parsed.login)

    def prepare(self) -> None:
        """Nothing to do here."""

    def query(self, request: Request) -> Results:
        """What the store answers; SyntaxError, UnknownGraph or StoreFailed where it does not."""
        named = bool(request.default_graphs or request.named_graphs)
        own = () if named else graphs_of(request.query)
        for iri in own:
            if not self._holds(iri):
                raise UnknownGraph(iri)
        form: _Form = {
            "query": _BASE + request.query,
            "default-graph-uri": list(request.default_graphs),
            "named-graph-uri": list(request.named_graphs),
        }
        everything = not (own or named)
        if request.media_type in set(GraphFormat):
            body = self._ask(form, _GRAPH.media_type, everything)
            return (quad.triple for quad in _parsed(body))
        return _results(self._ask(form, _TABLE.media_type, everything))

    def _holds(self, iri: str) -> bool:
        try:
            graph = ox.NamedNode(iri)
        except ValueError:  # no IRI at all
            return False
        asked: _Form = {"query": f"ASK {{ GRAPH {graph} {{ ?s ?p ?o }} }}"}
        return bool(_results(self._ask(asked, _TABLE.media_type, False)))

    def _ask(self, form: _Form, accept: str, everything: bool) -> bytes:
        # Oxigraph's parameter; other stores ignore it and are configured to do the same.
        address = self._address + ("?union-default-graph" if everything else "")
        try:
            response = self._client.post(address, data=form, headers={"Accept": accept})
        except httpx.RemoteProtocolError as error:
            raise StoreFailed("the store broke off its answer") from error
        except httpx.TransportError as error:
            raise StoreFailed("the store cannot be reached") from error
        return _complete(response, accept)


def _complete(response: httpx.Response, accept: str) -> bytes:
    if response.status_code == httpx.codes.BAD_REQUEST:
        raise SyntaxError(_without_base(response.text[:_MAX_SAID]))
    if not response.is_success:
        raise StoreFailed(f"the store answered {response.status_code}")
    said = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said != accept:
        raise StoreFailed(f"the store was asked for {accept} and answered {said or 'no type'}")
    if "content-length" not in response.headers and "transfer-encoding" not in response.headers:
        raise StoreFailed("the store does not say where its answer ends")
    return response.content


def _without_base(text: str) -> str:
    """The store's words, with the column that the fault has in the query as it was asked."""
    detail, line, column = located(text)
    if line is None or column is None:
        return detail
    moved = max(1, column - len(_BASE)) if line == 1 else column
    return f"error at {line}:{moved}: {detail}"


def _results(body: bytes) -> ox.QuerySolutions | ox.QueryBoolean:
    try:
        read = ox.parse_query_results(body, format=_TABLE)
        if isinstance(read, ox.QueryBoolean):
            return read
        for _ in read:  # what cannot be read is the store's fault, and shows only here
            pass
        return ox.parse_query_results(body, format=_TABLE)
    except SyntaxError as error:
        raise _unreadable(error) from error


def _parsed(body: bytes) -> Iterator[ox.Quad]:
    try:
        yield from ox.parse(body, format=_GRAPH)
    except SyntaxError as error:
        raise _unreadable(error) from error


def _unreadable(error: SyntaxError) -> StoreFailed:
    return StoreFailed(f"the store's answer cannot be read: {error}")
