"""Clients that others wrote, against a web process over HTTP."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pyoxigraph as ox
import pytest
from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.plugins.stores.sparqlstore import SPARQLStore
from SPARQLWrapper import (
    BASIC,
    CSV,
    GET,
    JSON,
    JSONLD,
    POST,
    RDFXML,
    TSV,
    TURTLE,
    XML,
    SPARQLWrapper,
)
from SPARQLWrapper.SPARQLExceptions import QueryBadFormed, Unauthorized

from ontology.store import LocalOxigraph
from tests.conformance.web_installation import PASSWORD, ROOT, USER, WebInstallation
from tests.core.oxigraph_server import oxigraph_server

EX = Namespace("http://example.org/clients/")
NAMES = ("Ada", 'Grace "Amazing" Hopper', "Žofie\nand Émilie", "a, b\tc")
SELECT = f"SELECT ?who ?name WHERE {{ ?who <{EX.name}> ?name }} ORDER BY ?who"
CONSTRUCT = f"CONSTRUCT {{ ?who <{EX.called}> ?name }} WHERE {{ ?who <{EX.name}> ?name }}"
COMUNICA = ROOT / "var/clients/node_modules/.bin/comunica-sparql"


@pytest.fixture(scope="module", autouse=True)
def people(web: WebInstallation) -> Iterator[list[ox.Triple]]:
    """Four people in two graphs; gone when these tests are."""
    triples = [
        ox.Triple(ox.NamedNode(EX[str(number)]), ox.NamedNode(EX.name), ox.Literal(name))
        for number, name in enumerate(NAMES)
    ]
    store = LocalOxigraph(web.graph_url, timeout_s=30.0)
    store.replace_graphs({str(EX.graph0): triples[:2], str(EX.graph1): triples[2:]})
    yield triples
    store.replace_graphs({str(EX.graph0): [], str(EX.graph1): []})
    store.close()


@pytest.fixture(params=[GET, POST])
def wrapper(closed: str, request: pytest.FixtureRequest) -> SPARQLWrapper:
    made = SPARQLWrapper(f"{closed}/sparql")
    made.setHTTPAuth(BASIC)
    made.setCredentials(USER, PASSWORD)
    made.setMethod(request.param)
    return made


def test_sparqlwrapper_reads_tables(wrapper: SPARQLWrapper) -> None:
    wrapper.setQuery(SELECT)
    wrapper.setReturnFormat(JSON)
    rows = wrapper.queryAndConvert()["results"]["bindings"]
    assert [row["name"]["value"] for row in rows] == list(NAMES)
    wrapper.setReturnFormat(XML)
    literals = wrapper.queryAndConvert().getElementsByTagName("literal")
    assert [node.firstChild.nodeValue for node in literals] == list(NAMES)
    wrapper.setReturnFormat(CSV)
    table = list(csv.reader(io.StringIO(wrapper.queryAndConvert().decode(), newline="")))
    assert [row[1] for row in table[1:]] == list(NAMES)
    wrapper.setReturnFormat(TSV)
    assert wrapper.queryAndConvert().splitlines()[1] == f'<{EX["0"]}>\t"Ada"'.encode()


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")  # SPARQLWrapper makes one
@pytest.mark.parametrize("form", [TURTLE, RDFXML, JSONLD])
def test_sparqlwrapper_reads_graphs(wrapper: SPARQLWrapper, form: str) -> None:
    wrapper.setQuery(CONSTRUCT)
    wrapper.setReturnFormat(form)
    found = wrapper.queryAndConvert()
    graph = Graph().parse(found, format="turtle") if form is TURTLE else found
    assert set(graph) == {(EX[str(n)], EX.called, Literal(name)) for n, name in enumerate(NAMES)}


def test_sparqlwrapper_is_told_what_is_wrong(wrapper: SPARQLWrapper, closed: str) -> None:
    wrapper.setQuery("SELECT * WHERE {")
    with pytest.raises(QueryBadFormed, match="not well-formed"):
        wrapper.query()
    stranger = SPARQLWrapper(f"{closed}/sparql")
    stranger.setQuery("ASK {}")
    with pytest.raises(Unauthorized):
        stranger.query()


@pytest.mark.parametrize("method", ["GET", "POST", "POST_FORM"])
def test_a_graph_of_rdflib_stands_on_the_endpoint(closed: str, method: str) -> None:
    store = SPARQLStore(f"{closed}/sparql", auth=(USER, PASSWORD), method=method)
    graph = Graph(store)
    assert [str(row.name) for row in graph.query(SELECT)] == list(NAMES)
    assert set(graph.triples((None, EX.name, None))) == {
        (EX[str(number)], EX.name, Literal(name)) for number, name in enumerate(NAMES)
    }
    assert (EX["0"], EX.name, Literal("Ada")) in graph
    (counted,) = graph.query("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }")
    assert len(graph) == counted.n.toPython() >= len(NAMES)
    assert {EX.graph0, EX.graph1} <= set(store.contexts())


def test_rdflib_reads_every_form_of_answer(closed: str) -> None:
    graph = Graph(SPARQLStore(f"{closed}/sparql", auth=(USER, PASSWORD)))
    made = graph.query(CONSTRUCT).graph
    assert set(made.objects(None, EX.called)) == {Literal(name) for name in NAMES}
    told = graph.query(f"DESCRIBE <{EX['0']}>").graph
    assert set(told) == {(EX["0"], EX.name, Literal("Ada"))}
    assert graph.query(f"ASK {{ <{EX['0']}> ?p ?o }}").askAnswer is True
    assert graph.query(f"ASK {{ <{EX['none']}> ?p ?o }}").askAnswer is False


def test_a_named_graph_of_rdflib_is_that_graph(closed: str) -> None:
    store = SPARQLStore(f"{closed}/sparql", auth=(USER, PASSWORD))
    graph = Graph(store, identifier=EX.graph1)
    assert {str(name) for name in graph.objects(None, EX.name)} == set(NAMES[2:])
    assert len(graph) == 2


@pytest.mark.parametrize(
    "form", [ox.QueryResultsFormat.JSON, ox.QueryResultsFormat.XML, ox.QueryResultsFormat.TSV]
)
def test_pyoxigraph_reads_every_table(closed: str, bearer: dict[str, str], form) -> None:
    headers = {**bearer, "Accept": form.media_type}
    answer = httpx.get(f"{closed}/sparql", params={"query": SELECT}, headers=headers)
    rows = ox.parse_query_results(answer.content, format=form)
    assert [(row["who"].value, row["name"].value) for row in rows] == [
        (str(EX[str(number)]), name) for number, name in enumerate(NAMES)
    ]
    asked = httpx.get(f"{closed}/sparql", params={"query": "ASK {}"}, headers=headers)
    assert bool(ox.parse_query_results(asked.content, format=form)) is True


def test_curl_asks_and_is_told_when_it_fails(closed: str, tmp_path: Path) -> None:
    query = tmp_path / "names.rq"
    query.write_text(SELECT)
    command = ["curl", "--silent", "--show-error", "--fail-with-body", "--user"]
    command += [f"{USER}:{PASSWORD}", f"{closed}/sparql", "--header", "Accept: text/csv"]
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    posted = subprocess.run([*command, "--data-urlencode", f"query@{query}"], capture_output=True)
    got = subprocess.run(
        [*command, "--get", "--data-urlencode", f"query={SELECT}"], capture_output=True
    )
    body = ["--header", "Content-Type: application/sparql-query", "--data-binary", f"@{query}"]
    sent = subprocess.run([*command, *body], capture_output=True)
    assert posted.stdout == got.stdout == sent.stdout
    table = list(csv.reader(io.StringIO(got.stdout.decode(), newline="")))
    assert [row[1] for row in table[1:]] == list(NAMES)
    failed = subprocess.run([*command, "--data", "query=SELECT"], capture_output=True)
    assert failed.returncode != 0
    assert json.loads(failed.stdout)["status"] == 400


def test_oxigraph_federates_to_it(opened: str) -> None:
    here = ox.Store()
    here.add(
        ox.Quad(ox.NamedNode(EX["0"]), ox.NamedNode(EX.born), ox.Literal("1815"), ox.DefaultGraph())
    )
    query = f"""SELECT ?name ?born WHERE {{
        ?who <{EX.born}> ?born . SERVICE <{opened}/sparql> {{ ?who <{EX.name}> ?name }} }}"""
    rows = [(row["name"].value, row["born"].value) for row in here.query(query)]
    assert rows == [("Ada", "1815")]


def test_rdflib_federates_to_it(opened: str) -> None:
    here = Graph().add((EX["0"], EX.born, Literal("1815")))
    query = f"""SELECT ?name ?born WHERE {{
        ?who <{EX.born}> ?born . SERVICE <{opened}/sparql> {{ ?who <{EX.name}> ?name }} }}"""
    assert [(str(row.name), str(row.born)) for row in here.query(query)] == [("Ada", "1815")]


@pytest.mark.parametrize("kind", ["sparql@", ""])
def test_comunica_asks(closed: str, kind: str) -> None:
    """Told that it is an endpoint, and finding out by the service description."""
    rows = comunica(f"{kind}{signed_in(closed)}/sparql", SELECT)
    assert [row["name"]["value"] for row in rows] == list(NAMES)


def test_comunica_joins_with_another_endpoint(closed: str, tmp_path: Path) -> None:
    query = f"SELECT ?name ?born WHERE {{ ?who <{EX.name}> ?name ; <{EX.born}> ?born }}"
    with oxigraph_server(tmp_path / "other") as other:
        born = f'INSERT DATA {{ <{EX["0"]}> <{EX.born}> "1815" }}'
        kind = {"Content-Type": "application/sparql-update"}
        httpx.post(f"{other}/update", content=born, headers=kind).raise_for_status()
        rows = comunica(f"sparql@{signed_in(closed)}/sparql", query, f"sparql@{other}/query")
    assert [(row["name"]["value"], row["born"]["value"]) for row in rows] == [("Ada", "1815")]


def signed_in(base: str) -> str:
    """The address with name and password in it, which Comunica sends by HTTP Basic."""
    return base.replace("//", f"//{quote(USER)}:{quote(PASSWORD)}@")


def comunica(source: str, query: str, *more: str) -> list[dict[str, dict[str, str]]]:
    """The rows that Comunica's command finds over these sources."""
    if not shutil.which("node"):
        pytest.skip("Node is not installed; with it, `make clients` installs Comunica")
    if not COMUNICA.exists():
        pytest.skip("Comunica is not installed: run `make clients`")
    asked = subprocess.run(
        ["node", COMUNICA, source, *more, "--httpAuth", f"{USER}:{PASSWORD}", "-q", query]
        + ["-t", "application/sparql-results+json"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert asked.returncode == 0, asked.stderr
    return json.loads(asked.stdout)["results"]["bindings"]


def test_a_page_of_another_site_asks(closed: str, bearer: dict[str, str]) -> None:
    """What a browser does for a page elsewhere: a preflight without credentials, then the query."""
    origin = {"Origin": "https://yasgui.example"}
    wished = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-requested-with",
    }
    preflight = httpx.options(f"{closed}/sparql", headers=origin | wished)
    assert preflight.is_success
    allowed = preflight.headers["Access-Control-Allow-Headers"].replace(" ", "").split(",")
    assert {"authorization", "content-type", "x-requested-with"} <= set(allowed)
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    answer = httpx.post(f"{closed}/sparql", data={"query": SELECT}, headers=origin | bearer)
    for each in (preflight, answer, httpx.get(f"{closed}/sparql", headers=origin)):
        assert each.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in each.headers


def test_an_installation_names_the_sites_that_may_ask(web: WebInstallation) -> None:
    with web.serve(TINYFLEET_CORS_ORIGINS="https://ours.example") as base:
        ours, others = (
            httpx.get(f"{base}/sparql", headers={"Origin": f"https://{name}.example"})
            for name in ("ours", "others")
        )
    assert ours.headers["Access-Control-Allow-Origin"] == "https://ours.example"
    assert "Access-Control-Allow-Origin" not in others.headers


def test_an_origin_that_is_none_stops_the_program(
    web: WebInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(web.settings, "TINYFLEET_CORS_ORIGINS", "yasgui.example")
    with pytest.raises(AssertionError, match="TINYFLEET_CORS_ORIGINS has 'yasgui.example'"):
        web.manage("check")


def test_the_term_of_a_graph_is_found_by_its_iri(closed: str, bearer: dict[str, str]) -> None:
    answer = httpx.get(
        f"{closed}/sparql",
        params={"query": f"DESCRIBE <{EX['2']}>"},
        headers={**bearer, "Accept": "application/n-triples"},
    )
    graph = Graph().parse(data=answer.text, format="nt")
    assert set(graph) == {(URIRef(EX["2"]), EX.name, Literal(NAMES[2]))}
