"""Runs W3C's SPARQL 1.1 Protocol and Service Description cases against an endpoint over HTTP."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyoxigraph as ox
from pyshacl import validate
from rdflib import Graph, Namespace, URIRef

from tests.conformance.manifests import Case, Exchange
from tests.conformance.plain_http import Reply, send

SD = Namespace("http://www.w3.org/ns/sparql-service-description#")
SHAPES = Path(__file__).with_name("service_description_shapes.ttl")
PATH_IN_MANIFEST = "/sparql/"
REFUSAL = (
    "the graph is a projection that is written from the database alone, so an update is refused"
    " with 400 (docs/how-to/query.md)"
)
_RESULTS = {
    "application/sparql-results+json": ox.QueryResultsFormat.JSON,
    "application/sparql-results+xml": ox.QueryResultsFormat.XML,
    "text/tab-separated-values": ox.QueryResultsFormat.TSV,
}
_RDF = {
    "text/turtle": ox.RdfFormat.TURTLE,
    "application/n-triples": ox.RdfFormat.N_TRIPLES,
    "application/rdf+xml": ox.RdfFormat.RDF_XML,
}


class CaseFailed(Exception):
    """What came back is not what the case expects."""


@dataclass(frozen=True)
class Endpoint:
    """Where the queries go, and what shows who asks."""

    base: str
    path: str
    credentials: Mapping[str, str]

    @property
    def iri(self) -> str:
        """The endpoint's whole address."""
        return self.base + self.path

    def send(self, method: str, rest: str = "", headers: Iterable[tuple[str, str]] = (), **more):
        """A request to the endpoint; `rest` is what follows its path."""
        return send(
            self.base, method, self.path + rest, [*headers, *self.credentials.items()], **more
        )


@dataclass(frozen=True)
class Result:
    """One row of the report."""

    id: str
    status: str  # pass, fail or not-implemented
    reason: str = ""


def run(case: Case, endpoint: Endpoint) -> Result:
    """What comes of a case: its exchanges in order, or the check that bears its id."""
    try:
        if not case.exchanges:
            _CHECKS[case.id](endpoint)
        elif _wants_to_write(case):
            _expect_refusal(case, endpoint)
            return Result(case.id, "not-implemented", REFUSAL)
        else:
            for exchange in case.exchanges:
                _expect(exchange, _exchange(exchange, endpoint))
    except CaseFailed as failed:
        return Result(case.id, "fail", str(failed))
    except KeyError:
        return Result(case.id, "fail", "the runner has no check of this id")
    return Result(case.id, "pass")


def together(results: Mapping[str, list[Result]]) -> list[Result]:
    """One result a case out of several runs: it passes where it passed in all of them."""
    merged: dict[str, Result] = {}
    for name, run_results in results.items():
        for each in run_results:
            if each.status == "fail":
                merged[each.id] = Result(each.id, "fail", f"{name}: {each.reason}")
            merged.setdefault(each.id, each)
    return list(merged.values())


def write_report(results: Iterable[Result], path: Path) -> None:
    """One row a case: id, status, reason."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "status", "reason"])
        writer.writerows((each.id, each.status, each.reason) for each in results)


def _wants_to_write(case: Case) -> bool:
    succeeds = any("StatusCode2xx" in exchange.statuses for exchange in case.exchanges)
    return succeeds and any(exchange.is_update for exchange in case.exchanges)


def _expect_refusal(case: Case, endpoint: Endpoint) -> None:
    for exchange in case.exchanges:
        if exchange.is_update:
            reply = _exchange(exchange, endpoint)
            refused = reply.status == 400 and reply.media_type == "application/problem+json"
            _require(refused and b"only reads" in reply.body, f"not refused: {reply}")


def _exchange(exchange: Exchange, endpoint: Endpoint) -> Reply:
    assert exchange.path.startswith(PATH_IN_MANIFEST)
    rest = exchange.path.removeprefix(PATH_IN_MANIFEST)
    return endpoint.send(exchange.method, rest, exchange.headers, body=exchange.body)


def _expect(exchange: Exchange, reply: Reply) -> None:
    said = f"{reply.status} {reply.media_type} {reply.body[:200]!r}"
    _require(any(_is_status(reply.status, each) for each in exchange.statuses), said)
    if exchange.format is not None:
        _FORMATS[exchange.format](reply)
    if exchange.boolean is not None:
        answer = ox.parse_query_results(reply.body, format=_RESULTS[reply.media_type])
        _require(bool(answer) is exchange.boolean, said)


def _is_status(status: int, expected: str) -> bool:
    found = re.fullmatch(r"StatusCode([1-5])xx|(?:StatusCode)?([1-5]\d\d)", expected)
    assert found, expected
    return status // 100 == int(found[1]) if found[1] else status == int(found[2])


def _boolean(reply: Reply) -> None:
    form = _RESULTS.get(reply.media_type)
    _require(form in {ox.QueryResultsFormat.JSON, ox.QueryResultsFormat.XML}, reply.media_type)
    parsed = ox.parse_query_results(reply.body, format=form)
    _require(isinstance(parsed, ox.QueryBoolean), f"no boolean: {reply.body[:200]!r}")


def _tabular(reply: Reply) -> None:
    _require(reply.media_type in {*_RESULTS, "text/csv"}, reply.media_type)
    if reply.media_type in _RESULTS:
        parsed = ox.parse_query_results(reply.body, format=_RESULTS[reply.media_type])
        _require(isinstance(parsed, ox.QuerySolutions), f"no table: {reply.body[:200]!r}")


def _rdf(reply: Reply) -> None:
    _require(reply.media_type in _RDF, reply.media_type)
    try:
        list(ox.parse(reply.body, format=_RDF[reply.media_type]))
    except SyntaxError as error:
        raise CaseFailed(f"no {reply.media_type}: {error}") from error


_FORMATS: Mapping[str, Callable[[Reply], None]] = {
    "boolean": _boolean,
    "tabular": _tabular,
    "RDF": _rdf,
}


def description(endpoint: Endpoint) -> Graph:
    """The service description, from a GET of the endpoint alone."""
    reply = endpoint.send("GET")
    _require(reply.status == 200, f"{reply.status} {reply.body[:200]!r}")
    _rdf(reply)
    return Graph().parse(reply.body, format=reply.media_type)


def _has_endpoint(endpoint: Endpoint) -> None:
    named = set(description(endpoint).objects(predicate=SD.endpoint))
    _require(URIRef(endpoint.iri) in named, f"sd:endpoint is {named}, not {endpoint.iri}")


def _conforms(endpoint: Endpoint) -> None:
    conforms, _, text = validate(description(endpoint), shacl_graph=Graph().parse(SHAPES))
    _require(conforms, text)


_CHECKS: Mapping[str, Callable[[Endpoint], object]] = {
    "returns-rdf": description,
    "has-endpoint-triple": _has_endpoint,
    "conforms-to-schema": _conforms,
}


def _require(holds: bool, said: str) -> None:
    if not holds:
        raise CaseFailed(said)
