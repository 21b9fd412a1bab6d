"""/sparql over HTTP: forms of query, formats of answer, refusals and limits."""

from __future__ import annotations

import csv
import html
import io
import json
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyoxigraph as ox
import pytest
from django.test import Client

from ontology.questions import questions
from registry.services.sparql import close_pools

PREFIX = "PREFIX ex: <http://example.org/> "
PEOPLE = 60
SELECT = PREFIX + "SELECT ?s ?name WHERE { ?s ex:name ?name } ORDER BY ?name LIMIT 2"
SLOW = PREFIX + "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"


@pytest.fixture
def store(tmp_path: Path, settings) -> Iterator[Path]:
    """A store on disk with sixty named people in two graphs."""
    path = tmp_path / "graph"
    writer = ox.Store(str(path))
    name = ox.NamedNode("http://example.org/name")
    writer.extend(
        ox.Quad(
            ox.NamedNode(f"http://example.org/{number}"),
            name,
            ox.Literal(f'näme "{number:02}"', language="de"),
            ox.NamedNode(f"http://example.org/graph/{number % 2}"),
        )
        for number in range(PEOPLE)
    )
    writer.flush()
    settings.GRAPH_DIR = path
    settings.GRAPH_URL = ""
    yield path
    close_pools()


@pytest.fixture
def client(store: Path, django_user_model) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_user("reader"))
    return client


pytestmark = pytest.mark.django_db


def ask(client: Client, query: str, accept: str = "*/*"):
    return client.get("/sparql", {"query": query}, headers={"accept": accept})


def test_nobody_unknown_may_ask(store: Path) -> None:
    assert Client().get("/sparql", {"query": SELECT}).status_code in {401, 403}


def test_basic_authentication_is_enough(store: Path, django_user_model) -> None:
    django_user_model.objects.create_user("ada", password="pass")
    answer = Client().get(
        "/sparql", {"query": SELECT}, headers={"authorization": "Basic YWRhOnBhc3M="}
    )
    assert answer.status_code == 200


def test_reading_can_be_opened(store: Path, settings) -> None:
    settings.TINYFLEET_PUBLIC_READ = True
    assert Client().get("/sparql", {"query": SELECT}).status_code == 200


def test_select_as_json(client: Client) -> None:
    answer = ask(client, SELECT)
    assert answer["Content-Type"] == "application/sparql-results+json"
    found = json.loads(answer.content)
    assert found["head"]["vars"] == ["s", "name"]
    assert found["results"]["bindings"][0] == {
        "s": {"type": "uri", "value": "http://example.org/0"},
        "name": {"type": "literal", "value": 'näme "00"', "xml:lang": "de"},
    }


def test_select_as_xml(client: Client) -> None:
    answer = ask(client, SELECT, "application/sparql-results+xml")
    space = "{http://www.w3.org/2005/sparql-results#}"
    results = ElementTree.fromstring(answer.content).iter(f"{space}literal")
    assert [node.text for node in results] == ['näme "00"', 'näme "01"']


def test_select_as_csv(client: Client) -> None:
    rows = list(csv.reader(io.StringIO(ask(client, SELECT, "text/csv").content.decode())))
    assert rows == [
        ["s", "name"],
        ["http://example.org/0", 'näme "00"'],
        ["http://example.org/1", 'näme "01"'],
    ]


def test_select_as_tsv(client: Client) -> None:
    lines = ask(client, SELECT, "text/tab-separated-values").content.decode().splitlines()
    assert lines[:2] == ["?s\t?name", '<http://example.org/0>\t"näme \\"00\\""@de']


@pytest.mark.parametrize("pattern, said", [("?s ?p ?o", True), ("?s a ?o", False)])
def test_ask(client: Client, pattern: str, said: bool) -> None:
    assert json.loads(ask(client, f"ASK {{ {pattern} }}").content)["boolean"] is said
    xml = ask(client, f"ASK {{ {pattern} }}", "application/sparql-results+xml").content
    assert f"<boolean>{str(said).lower()}</boolean>".encode() in xml


@pytest.mark.parametrize(
    "media_type, form",
    [
        ("text/turtle", ox.RdfFormat.TURTLE),
        ("application/n-triples", ox.RdfFormat.N_TRIPLES),
        ("application/ld+json", ox.RdfFormat.JSON_LD),
        ("application/rdf+xml", ox.RdfFormat.RDF_XML),
    ],
)
@pytest.mark.parametrize(
    "query, triples",
    [("CONSTRUCT WHERE { ?s ?p ?o }", PEOPLE), ("DESCRIBE <http://example.org/7>", 1)],
)
def test_graphs(client: Client, media_type: str, form, query: str, triples: int) -> None:
    answer = ask(client, query, media_type)
    assert answer["Content-Type"].startswith(media_type)
    assert len(list(ox.parse(answer.content, format=form))) == triples


def test_quality_values_decide(client: Client) -> None:
    answer = ask(client, SELECT, "text/csv;q=0.2, application/sparql-results+xml;q=0.9")
    assert answer["Content-Type"] == "application/sparql-results+xml"


def test_what_cannot_be_given_is_not_acceptable(client: Client) -> None:
    assert ask(client, SELECT, "text/turtle").status_code == 406


def test_post_as_form_and_as_body(client: Client) -> None:
    expected = ask(client, SELECT).content
    assert client.post("/sparql", {"query": SELECT}).status_code == 415  # multipart is no form here
    form = f"query={SELECT}".replace(" ", "+").replace("?", "%3F").replace("#", "%23")
    assert (
        client.post("/sparql", form, content_type="application/x-www-form-urlencoded").content
        == expected
    )
    body = client.post("/sparql", SELECT, content_type="application/sparql-query")
    assert body.content == expected


def test_protocol_dataset(client: Client) -> None:
    parameters = {
        "query": "SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }",
        "default-graph-uri": "http://example.org/graph/1",
    }
    found = json.loads(client.get("/sparql", parameters).content)
    assert int(found["results"]["bindings"][0]["n"]["value"]) == PEOPLE // 2


def test_a_query_may_name_its_own_dataset(client: Client) -> None:
    query = "SELECT (COUNT(*) AS ?n) FROM <http://example.org/graph/1> WHERE { ?s ?p ?o }"
    found = json.loads(ask(client, query).content)
    assert int(found["results"]["bindings"][0]["n"]["value"]) == PEOPLE // 2


@pytest.mark.parametrize(
    "query, word",
    [
        ("SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }", "SERVICE"),
        ("select * { service silent <http://127.0.0.1:9/> { ?s ?p ?o } }", "SERVICE"),
        ("LOAD <http://127.0.0.1:9/data>", "LOAD"),
        ("INSERT DATA { <urn:a> <urn:b> <urn:c> }", "INSERT"),
        ("PREFIX x: <urn:x> DELETE WHERE { ?s ?p ?o }", "DELETE"),
        ("DROP ALL", "DROP"),
    ],
)
def test_what_would_write_or_reach_out_is_refused(client: Client, query: str, word: str) -> None:
    answer = ask(client, query)
    assert answer.status_code == 400
    assert word in json.loads(answer.content)["detail"]


def test_an_update_is_refused(client: Client) -> None:
    answer = client.post("/sparql", "CLEAR ALL", content_type="application/sparql-update")
    assert answer.status_code == 400
    assert "only reads" in json.loads(answer.content)["detail"]


def test_keywords_inside_texts_names_and_comments_are_just_letters(client: Client) -> None:
    query = (
        "PREFIX service: <http://example.org/> # LOAD and SERVICE\n"
        'SELECT ?load WHERE { ?load service:name ?drop FILTER(?drop != "INSERT \\" SERVICE") '
        "FILTER(?drop != '''SERVICE ' LOAD''') } LIMIT 1"
    )
    assert ask(client, query).status_code == 200


def test_a_syntax_error_says_where(client: Client) -> None:
    answer = ask(client, "SELECT *\nWHERE { ?s ?p ")
    assert answer.status_code == 400
    problem = json.loads(answer.content)
    assert answer["Content-Type"] == "application/problem+json"
    assert (problem["line"], problem["column"]) == (2, 15)


def test_a_slow_query_ends_at_its_limit_and_frees_its_process(client: Client, settings) -> None:
    settings.SPARQL_TIMEOUT_S = 1.0
    began = time.monotonic()
    answer = ask(client, SLOW)
    assert answer.status_code == 503
    assert "1 s" in json.loads(answer.content)["detail"]
    assert time.monotonic() - began < 3.0
    busy = [p for p in psutil.Process().children() if p.cpu_percent(0.2) > 50]
    assert busy == []


def test_too_many_rows_is_no_success(client: Client, settings) -> None:
    settings.SPARQL_MAX_ROWS = PEOPLE - 1
    for query in ("SELECT * { ?s ?p ?o }", "CONSTRUCT WHERE { ?s ?p ?o }"):
        answer = ask(client, query)
        assert answer.status_code == 413
        assert str(PEOPLE - 1) in json.loads(answer.content)["detail"]
    settings.SPARQL_MAX_ROWS = PEOPLE
    assert ask(client, "SELECT * { ?s ?p ?o }").status_code == 200


def test_memory_is_bounded(client: Client, settings) -> None:
    settings.SPARQL_MEMORY_BYTES = 64 * 1024 * 1024
    query = "SELECT ?a ?d ?g WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l } ORDER BY ?c ?f ?i"
    answer = ask(client, query)
    assert answer.status_code == 503
    assert "memory" in json.loads(answer.content)["title"]


def test_deep_nesting_is_refused(client: Client) -> None:
    assert ask(client, "SELECT * " + "{" * 10_000 + "}" * 10_000).status_code == 400


def test_a_query_too_long_is_refused(client: Client, settings) -> None:
    settings.SPARQL_MAX_QUERY_BYTES = 20
    assert ask(client, SELECT).status_code == 400


def test_every_question_of_the_ontology_is_answered(client: Client) -> None:
    answers = {each.name: ask(client, each.text).status_code for each in questions()}
    assert {name: status for name, status in answers.items() if status != 200} == {}


def test_a_browser_without_a_query_gets_a_page(client: Client) -> None:
    answer = client.get("/sparql", headers={"accept": "text/html,*/*;q=0.8"})
    assert b"<textarea" in answer.content
    page = html.unescape(answer.content.decode())
    as_they_are, to_fill_in = page.split("<optgroup")[1:]
    for each in questions():
        names = ", ".join(f"${name}" for name in each.parameters)
        shown = f"{each.question} ({names})" if names else each.question
        group = to_fill_in if names else as_they_are
        assert f'<option value="{each.text}">{shown}</option>' in group
