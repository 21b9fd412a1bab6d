"""W3C's SPARQL 1.1 Protocol and Service Description tests, in both modes of authentication."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pyoxigraph as ox
import pytest

from ontology.store import LocalOxigraph
from tests.conformance.manifests import Case, cases_of
from tests.conformance.plain_http import Reply
from tests.conformance.sparql_runner import Endpoint, Result, run, together, write_report
from tests.conformance.web_installation import ROOT, WebInstallation

DATA = "http://kasei.us/2009/09/sparql/data/"
FOAF = "http://xmlns.com/foaf/0.1/"
REPORT = ROOT / "var/conformance/sparql.csv"


@pytest.fixture(scope="module")
def cases(data_dir: Path) -> list[Case]:
    folder = data_dir / "w3c-sparql"
    return [
        *cases_of(folder / "protocol/manifest.ttl"),
        *cases_of(folder / "service-description/manifest.ttl"),
    ]


@pytest.fixture(scope="module")
def loaded(cases: list[Case], web: WebInstallation) -> None:
    """The graphs that the cases are about, in the installation's dataset."""
    store = LocalOxigraph(web.graph_url, timeout_s=30.0)
    graphs = dict(graph for case in cases for graph in case.graphs)
    assert graphs
    store.replace_graphs(
        {
            iri: [quad.triple for quad in ox.parse(path=file, format=ox.RdfFormat.N_TRIPLES)]
            for iri, file in graphs.items()
        }
    )
    store.close()


def test_every_case_passes_or_is_refused_as_documented(
    cases: list[Case], loaded: None, closed: str, opened: str, bearer: dict[str, str]
) -> None:
    results = together(
        {
            "signed in": [run(case, Endpoint(closed, "/sparql", bearer)) for case in cases],
            "open to all": [run(case, Endpoint(opened, "/sparql", {})) for case in cases],
        }
    )
    write_report(results, REPORT)
    assert [each.id for each in results] == [case.id for case in cases]
    assert [each for each in results if each.status == "fail"] == []
    assert all(each.id.startswith("update_") for each in results if each.status != "pass")
    with REPORT.open(newline="") as file:
        rows = [(row["id"], row["status"], row["reason"]) for row in csv.DictReader(file)]
    assert rows == [(each.id, each.status, each.reason) for each in results]


@pytest.mark.parametrize("way", ["session", "basic"])
def test_the_other_ways_to_sign_in_do_as_well(
    cases: list[Case], loaded: None, closed: str, way: str, request: pytest.FixtureRequest
) -> None:
    """GET, both kinds of POST, a dataset and the description; the rest is the same code."""
    ids = {"query_get", "query_post_form", "query_post_direct", "query_dataset_full", "returns-rdf"}
    endpoint = Endpoint(closed, "/sparql/", request.getfixturevalue(way))
    results = [run(case, endpoint) for case in cases if case.id in ids]
    assert {each.id: each.status for each in results} == dict.fromkeys(ids, "pass")


@pytest.fixture(scope="module")
def in_front(web: WebInstallation) -> Iterator[str]:
    """The address of a web process in front of a store that others run."""
    with web.serve(TINYFLEET_GRAPH_URL=web.graph_url) as base:
        yield base


def test_another_store_behind_it_passes_as_well(
    cases: list[Case], loaded: None, in_front: str, bearer: dict[str, str]
) -> None:
    results = [run(case, Endpoint(in_front, "/sparql", bearer)) for case in cases]
    assert [each for each in results if each.status == "fail"] == []


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT ?s {{ ?s a <{FOAF}Document> }} ORDER BY ?s",
        f"SELECT ?s FROM <{DATA}data1.rdf> {{ ?s a ?type }}",
        f"SELECT ?s FROM NAMED <{DATA}data2.rdf> {{ GRAPH ?g {{ ?s a ?type }} }}",
        f"SELECT ?s FROM <{DATA}none.rdf> {{ ?s a ?type }}",
        "SELECT (<relative> AS ?iri) {}",
        "BASE <http://example.org/> SELECT (<relative> AS ?iri) {}",
        "ASK { ?s ?p }",
        "SELECT * {\n ?s ?p ?o",
        "SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }",
        f"CONSTRUCT {{ <s> a ?type }} WHERE {{ <{DATA}data3.rdf> a ?type }}",
    ],
)
def test_another_store_behind_it_answers_the_same(
    loaded: None, closed: str, in_front: str, bearer: dict[str, str], query: str
) -> None:
    def asked(base: str, accept: str) -> tuple[int, str, object]:
        rest = f"?query={quote(query)}"
        reply = Endpoint(base, "/sparql", bearer).send("GET", rest, [("Accept", accept)])
        return reply.status, reply.media_type, said(reply)

    accept = "application/n-triples" if "CONSTRUCT" in query else "text/tab-separated-values"
    assert asked(in_front, accept) == asked(closed, accept)


def said(reply: Reply) -> object:
    """The answer, or where and why there is none; an engine's own words may differ."""
    if reply.media_type != "application/problem+json":
        return reply.body.split()
    problem = json.loads(reply.body)
    return [problem.get(member) for member in ("title", "status", "line", "column")]


def test_nobody_unknown_is_answered(cases: list[Case], closed: str) -> None:
    endpoint = Endpoint(closed, "/sparql", {})
    queries = [each for case in cases for each in case.exchanges if each.method != "OPTIONS"]
    for exchange in queries:
        rest = exchange.path.removeprefix("/sparql/")
        reply = endpoint.send(exchange.method, rest, exchange.headers, body=exchange.body)
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].startswith("Basic realm=")
        assert "Bearer" in reply.headers["WWW-Authenticate"]


def test_the_runner_can_fail(cases: list[Case], closed: str, bearer: dict[str, str]) -> None:
    elsewhere = Endpoint(closed, "/health", bearer)
    results = [run(case, elsewhere) for case in cases if not case.id.startswith("bad_")]
    assert {each.status for each in results} == {"fail"}
    assert together({"a": [Result("x", "pass")], "b": [Result("x", "fail", "no")]}) == [
        Result("x", "fail", "b: no")
    ]
