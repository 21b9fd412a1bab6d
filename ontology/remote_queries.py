"""Users' queries to a store that others run, as a client of the SPARQL 1.1 Protocol.

The same query gets the same answer as from the store on disk: relative IRIs stand upon the same
base, all graphs are read together unless the query or its client names some, and `FROM` fetches
nothing. How much a query may take is that store's affair; the time-out alone is ours.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import httpx
import pyoxigraph as ox

from ontology.query_dataset import BASE_IRI, UnknownGraph, graphs_of
from ontology.query_errors import located
from ontology.readers import QueryFailed

_BASE = f"BASE <{BASE_IRI}> "  # on the query's first line, so that lines keep their numbers
_JSON = ox.QueryResultsFormat.JSON
_Form: TypeAlias = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class RemoteStore:
    """A store that takes queries at `/query` under one address."""

    base_url: str
    timeout_s: float

    def run(
        self,
        query: str,
        media_type: str,
        default_graphs: Sequence[str] = (),
        named_graphs: Sequence[str] = (),
    ) -> bytes:
        """The answer in that media type; QueryFailed where there is none within the time-out."""
        until = time.monotonic() + self.timeout_s
        by_protocol = default_graphs or named_graphs
        own = () if by_protocol else graphs_of(query)
        self._refuse_unknown(own, until)
        form: _Form = {
            "query": _BASE + query,
            "default-graph-uri": default_graphs,
            "named-graph-uri": named_graphs,
        }
        return self._ask(form, media_type, until, together=not (by_protocol or own))

    def _refuse_unknown(self, graphs: Sequence[str], until: float) -> None:
        for iri in graphs:
            try:
                query = f"ASK {{ GRAPH {ox.NamedNode(iri)} {{ ?s ?p ?o }} }}"
            except ValueError:  # no IRI at all: the store says so
                continue
            said = self._ask({"query": query}, _JSON.media_type, until, together=False)
            if not ox.parse_query_results(said, format=_JSON):
                raise QueryFailed("dataset", str(UnknownGraph(iri)))

    def _ask(self, form: _Form, media_type: str, until: float, together: bool) -> bytes:
        # A parameter of Oxigraph's; other stores ignore it and are configured to do the same.
        path = "/query?union-default-graph" if together else "/query"
        url = self.base_url.rstrip("/") + path
        left_s = max(0.001, until - time.monotonic())
        headers = {"Accept": media_type}
        try:
            with httpx.stream("POST", url, data=form, headers=headers, timeout=left_s) as response:
                body = b"".join(_in_time(response, until))
        except httpx.TimeoutException as error:
            detail = f"the store did not answer within {self.timeout_s:g} s"
            raise QueryFailed("time", detail) from error
        except httpx.TransportError as error:
            raise QueryFailed("failed", "the store cannot be reached, or broke off") from error
        _check(response, body, media_type)
        return body


def _in_time(response: httpx.Response, until: float) -> Sequence[bytes]:
    """The pieces of the body; httpx's own time-out starts anew with each of them."""
    pieces = []
    for piece in response.iter_bytes():
        if time.monotonic() > until:
            raise httpx.ReadTimeout("the answer takes too long", request=response.request)
        pieces.append(piece)
    return pieces


def _check(response: httpx.Response, body: bytes, media_type: str) -> None:
    if response.status_code == httpx.codes.BAD_REQUEST:
        raise _bad_request(body.decode(errors="replace"))
    given = response.headers.get("Content-Type", "").partition(";")[0].strip()
    if response.status_code == httpx.codes.NOT_ACCEPTABLE or (
        response.is_success and given != media_type
    ):
        raise QueryFailed("format", f"the store gives no {media_type}; ask for another format")
    if not response.is_success:
        raise QueryFailed("failed", f"the store answered {response.status_code}")


def _bad_request(text: str) -> QueryFailed:
    detail, line, column = located(text)
    if line == 1 and column is not None:
        column = max(1, column - len(_BASE))
    return QueryFailed("syntax", detail, line, column)
