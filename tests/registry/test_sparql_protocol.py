"""/sparql by the letter of the protocol: what is read strictly, negotiated, and told to caches."""

from __future__ import annotations

import base64
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pyoxigraph as ox
import pytest
from django.test import Client

from registry.services.sparql import close_pools

EX = "http://example.org/"
FORM = "application/x-www-form-urlencoded"
QUERY = "application/sparql-query"
JSON = "application/sparql-results+json"
XML = "application/sparql-results+xml"
ALL = "SELECT ?s ?o WHERE { ?s ?p ?o }"
CONSTRUCT = "CONSTRUCT WHERE { ?s ?p ?o }"

pytestmark = pytest.mark.django_db


class Writer:
    """The store's one writer; it closes after each write, so that readers see it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, graph: str, subject: str, value: str, predicate: str = f"{EX}name") -> None:
        store = ox.Store(str(self._path))
        triple = (ox.NamedNode(EX + subject), ox.NamedNode(predicate), ox.Literal(value))
        store.add(ox.Quad(*triple, ox.NamedNode(EX + graph)))
        store.flush()


@pytest.fixture
def writer(tmp_path: Path, settings) -> Iterator[Writer]:
    """A store with one name in each of two graphs."""
    settings.GRAPH_DIR = tmp_path / "graph"
    settings.GRAPH_URL = ""
    writer = Writer(settings.GRAPH_DIR)
    writer.add("g/1", "ada", "Ada")
    writer.add("g/2", "bob", "Bob")
    yield writer
    close_pools()


@pytest.fixture
def client(writer: Writer, django_user_model) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_user("reader"))
    return client


def ask(client: Client, query: str = ALL, accept: str | None = None, **headers: str):
    told = {"accept": accept} if accept is not None else {}
    return client.get("/sparql", {"query": query}, headers=told | headers)


def names(answer) -> set[str]:
    assert answer.status_code == 200, answer.content
    return {row["o"]["value"] for row in json.loads(answer.content)["results"]["bindings"]}


@pytest.mark.parametrize(
    "raw, said",
    [
        ("query=ASK%20%7B%ZZ%7D", "hexadecimal"),
        ("query=ASK%20%7B%7D%", "hexadecimal"),
        ("query=ASK%20%7B%7D%FF", "UTF-8"),
        ("query=ASK%7B%7D&query=ASK%7B%7D", "2 of them"),
        ("query=", "empty"),
        ("query=%20%0A", "empty"),
        ("default-graph-uri=http%3A%2F%2Fexample.org%2Fg%2F1", "none"),
        ("query=ASK%7B%7D&default-graph-uri=relative", "default-graph-uri"),
        ("query=ASK%7B%7D&named-graph-uri=http%3A%2F%2Fa%20b", "named-graph-uri"),
        ("query=ASK%7B%7D&update=CLEAR%20ALL", "only reads"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_cannot_be_read_as_it_was_meant_is_refused(
    client: Client, method: str, raw: str, said: str
) -> None:
    if method == "GET":
        answer = client.get("/sparql", QUERY_STRING=raw)
    else:
        answer = client.post("/sparql", raw, content_type=FORM)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    problem = json.loads(answer.content)
    assert said in problem["detail"]
    assert problem["status"] == 400


@pytest.mark.parametrize(
    "content_type, body, status",
    [
        ("text/plain", b"ASK {}", 415),
        ("", b"query=ASK%20%7B%7D", 415),
        ("multipart/form-data; boundary=x", b"", 415),
        (f"{QUERY}; charset=UTF-16", "ASK {}".encode("utf-16"), 415),
        (f"{FORM}; charset=latin-1", b"query=ASK%20%7B%7D", 415),
        (QUERY, "ASK {}".encode("utf-16"), 400),
        (QUERY, b"", 400),
        (f"{QUERY}; charset=utf-8", b"ASK {}", 200),
        (f'{QUERY}; charset="UTF-8"', b"\xef\xbb\xbfASK {}", 200),
        (FORM.upper(), b"query=ASK+%7B%7D", 200),
    ],
)
def test_the_body_is_what_its_type_says(
    client: Client, content_type: str, body: bytes, status: int
) -> None:
    answer = client.generic("POST", "/sparql", body, CONTENT_TYPE=content_type)
    assert answer.status_code == status


def test_a_second_query_in_the_address_of_a_post_is_one_too_many(client: Client) -> None:
    answer = client.post("/sparql?query=ASK%7B%7D", "ASK {}", content_type=QUERY)
    assert answer.status_code == 400


def test_a_body_too_long_is_refused_unread(client: Client, settings) -> None:
    settings.SPARQL_MAX_QUERY_BYTES = 20
    answer = client.post("/sparql", b"query=" + b"%20" * 1000, content_type=FORM)
    assert answer.status_code == 413


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_told_which_there_are(client: Client, method: str) -> None:
    answer = getattr(client, method)("/sparql")
    assert answer.status_code == 405
    assert {"GET", "HEAD", "POST", "OPTIONS"} == set(answer["Allow"].split(", "))
    assert answer["Content-Type"] == "application/problem+json"


def test_options_needs_nobody_signed_in(writer: Writer) -> None:
    answer = Client().options("/sparql")
    assert answer.status_code == 204
    assert "POST" in answer["Allow"]
    assert {FORM, QUERY} == set(answer["Accept-Post"].split(", "))


def test_head_is_get_without_the_body(client: Client) -> None:
    whole = ask(client)
    head = client.head("/sparql", {"query": ALL})
    assert head.content == b""
    for name in ("Content-Type", "Content-Length", "ETag", "Vary"):
        assert head[name] == whole[name]


# An Accept header, and the media types of a table and of a graph for it.
NEGOTIATED = [
    (None, JSON, "text/turtle"),
    ("", JSON, "text/turtle"),
    ("*/*", JSON, "text/turtle"),
    ("nonsense", JSON, "text/turtle"),
    (f"{JSON}, */*;q=0.1", JSON, "text/turtle"),
    (f"{XML};q=0.9, {JSON};q=0.8, text/turtle;q=0.1", XML, "text/turtle"),
    (f"{JSON};q=0, */*", XML, "text/turtle"),
    ("text/*", "text/csv", "text/turtle"),
    ("text/*;q=0.5, text/tab-separated-values", "text/tab-separated-values", "text/turtle"),
    ("application/*", JSON, "application/n-triples"),
    ("application/json", "application/json", "application/json"),
    ("application/xml", "application/xml", "application/xml"),
    ("TEXT/CSV ; charset=utf-8 ; Q=0.3", "text/csv", None),
    ('text/csv;x="a,b;q=0", application/rdf+xml', "text/csv", "application/rdf+xml"),
    ("text/plain", None, "text/plain"),
    ("application/ld+json", None, "application/ld+json"),
    ("application/n-quads", None, "application/n-quads"),
    ("application/turtle, text/turtle", None, "application/turtle"),
    ("image/png", None, None),
    ("*/*;q=0", None, None),
    (
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/xml",
        "application/xml",
    ),
]


def test_the_client_gets_what_it_would_rather_have(client: Client) -> None:
    for accept, *expected in NEGOTIATED:
        for query, media_type in zip((ALL, CONSTRUCT), expected, strict=True):
            answer = ask(client, query, accept)
            if media_type is None:
                assert answer.status_code == 406, accept
                assert JSON in answer.text or "text/turtle" in answer.text
            else:
                assert answer.status_code == 200, accept
                assert answer["Content-Type"].partition(";")[0] == media_type, accept


@pytest.mark.parametrize("accept", ["application/json", "text/csv", "text/plain"])
def test_a_boolean_in_other_names(client: Client, accept: str) -> None:
    answer = ask(client, "ASK {}", accept)
    assert answer.status_code == (406 if accept == "text/plain" else 200)
    assert accept == "text/plain" or "true" in answer.text


class TestDataset:
    """Section 2.1.4: what the parameters name is the dataset, whatever the query says."""

    def count(self, client: Client, query: str, **graphs: str | list[str]) -> set[str]:
        named = {f"{kind}-graph-uri": iri for kind, iri in graphs.items()}
        return names(client.get("/sparql", {"query": query, **named}))

    def test_default_graphs_are_merged(self, client: Client) -> None:
        assert self.count(client, ALL) == {"Ada", "Bob"}
        assert self.count(client, ALL, default=EX + "g/1") == {"Ada"}
        assert self.count(client, ALL, default=[EX + "g/1", EX + "g/2"]) == {"Ada", "Bob"}

    def test_named_graphs_leave_the_default_graph_empty(self, client: Client) -> None:
        in_graphs = "SELECT ?o { GRAPH ?g { ?s ?p ?o } }"
        assert self.count(client, ALL, named=EX + "g/1") == set()
        assert self.count(client, in_graphs, named=EX + "g/1") == {"Ada"}
        assert self.count(client, in_graphs, default=EX + "g/1") == set()

    def test_the_protocol_outranks_the_query(self, client: Client) -> None:
        query = f"SELECT ?o FROM <{EX}g/2> FROM <{EX}none> {{ ?s ?p ?o }}"
        assert self.count(client, query, default=EX + "g/1") == {"Ada"}

    def test_a_graph_that_is_not_there_is_empty_as_a_parameter(self, client: Client) -> None:
        assert self.count(client, ALL, default=EX + "none") == set()

    def test_an_empty_parameter_says_nothing(self, client: Client) -> None:
        assert self.count(client, ALL, default="") == {"Ada", "Bob"}

    def test_from_fetches_nothing(self, client: Client) -> None:
        for clause in (
            "FROM <http://example.org/none>",
            "FROM NAMED <http://example.org/none>",
            f"FROM <{EX}g/1> FROM <http://127.0.0.1:9/data>",
            "FROM ex:none",
            "FROM <none>",
            "FROM <\\u0068ttp://example.org/none>",
            "from\n#FROM\nnamed ex:none",
        ):
            query = f"BASE <{EX}> PREFIX ex: <{EX}> SELECT * {clause} {{ ?s ?p ?o }}"
            answer = ask(client, query)
            assert answer.status_code == 400, clause
            assert "no such graph" in json.loads(answer.content)["detail"]

    def test_from_finds_what_is_there(self, client: Client) -> None:
        for clause in (f"FROM <{EX}g/1>", "FROM ex:1", "FROM <g/1>"):
            query = f"BASE <{EX}> PREFIX ex: <g/> SELECT * {clause} {{ ?s ?p ?o }}"
            assert names(ask(client, query)) == {"Ada"}, clause

    def test_a_form_may_name_its_dataset_in_the_address(self, client: Client) -> None:
        address = "/sparql?" + urlencode({"default-graph-uri": EX + "g/2"})
        answer = client.post(address, urlencode({"query": ALL}), content_type=FORM)
        assert names(answer) == {"Bob"}


class TestEntityTags:
    """A tag stands for the bytes of one answer in one media type."""

    def test_who_has_the_answer_is_told_so(self, client: Client) -> None:
        tag = ask(client)["ETag"]
        again = ask(client, **{"if-none-match": f'"other", {tag}'})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
        assert again["Vary"]
        assert ask(client, **{"if-none-match": "*"}).status_code == 304
        assert ask(client, **{"if-none-match": '"other"'}).status_code == 200

    def test_it_changes_with_the_answer_and_only_then(self, client: Client, writer: Writer) -> None:
        only_ada = f"SELECT ?o {{ <{EX}ada> ?p ?o }}"
        before, ada = ask(client)["ETag"], ask(client, only_ada)["ETag"]
        writer.add("g/2", "eve", "Eve")
        changed = ask(client, **{"if-none-match": before})
        assert (changed.status_code, names(changed)) == (200, {"Ada", "Bob", "Eve"})
        assert ask(client, only_ada, **{"if-none-match": ada}).status_code == 304

    def test_it_is_of_one_media_type(self, client: Client) -> None:
        tags = {ask(client, accept=form)["ETag"] for form in (JSON, XML, "application/json")}
        assert len(tags) == 3

    def test_what_time_it_is_has_a_tag_of_its_own(self, client: Client) -> None:
        assert ask(client, "SELECT (UUID() AS ?o) {}")["ETag"] != ask(client)["ETag"]
        tag = ask(client, "SELECT (UUID() AS ?o) {}")["ETag"]
        fresh = ask(client, "SELECT (UUID() AS ?o) {}", **{"if-none-match": tag})
        assert fresh.status_code == 200

    def test_caches_know_what_the_answer_hangs_on(self, client: Client, settings) -> None:
        answer = ask(client)
        assert {"accept", "authorization"} <= set(answer["Vary"].lower().split(", "))
        assert answer["Cache-Control"] == "private, no-cache"
        settings.TINYFLEET_PUBLIC_READ = True
        assert ask(client)["Cache-Control"] == "no-cache"

    def test_neither_a_post_nor_a_refusal_has_one(self, client: Client) -> None:
        post = client.post("/sparql", ALL, content_type=QUERY, headers={"if-none-match": "*"})
        assert (post.status_code, "ETag" in post) == (200, False)
        refused = ask(client, "SELECT", **{"if-none-match": "*"})
        assert (refused.status_code, "ETag" in refused) == (400, False)


class TestWhatAFormatCannotWrite:
    """An answer that would be malformed is refused, and other formats have it."""

    def test_a_predicate_without_a_name_is_no_rdf_xml(self, client: Client, writer: Writer) -> None:
        writer.add("g/1", "ada", "x", predicate=f"{EX}2026")
        refused = ask(client, CONSTRUCT, "application/rdf+xml")
        assert refused.status_code == 406
        assert "2026" in json.loads(refused.content)["detail"]
        assert ask(client, CONSTRUCT, "text/turtle").status_code == 200

    @pytest.mark.parametrize("query, form", [(ALL, XML), (CONSTRUCT, "application/rdf+xml")])
    def test_a_control_character_is_no_xml(
        self, client: Client, writer: Writer, query: str, form: str
    ) -> None:
        writer.add("g/1", "ada", "ring \x07")
        refused = ask(client, query, form)
        assert refused.status_code == 406
        assert "U+0007" in json.loads(refused.content)["detail"]

    @pytest.mark.parametrize("query, form", [(ALL, XML), (CONSTRUCT, "application/rdf+xml")])
    def test_a_carriage_return_stays_one(
        self, client: Client, writer: Writer, query: str, form: str
    ) -> None:
        writer.add("g/1", "ada", "a\r\nb")
        found = ElementTree.fromstring(ask(client, query, form).content)
        assert "a\r\nb" in {node.text for node in found.iter()}


class TestBasicIsVerifiedOnce:
    """What was verified is remembered by password and stored hash, so nothing outlives either."""

    @pytest.fixture
    def ada(self, writer: Writer, django_user_model):
        return django_user_model.objects.create_user("ada", password="first")

    def status(self, password: str, name: str = "ada") -> int:
        pair = base64.b64encode(f"{name}:{password}".encode()).decode()
        headers = {"authorization": f"Basic {pair}"}
        return Client().get("/sparql", {"query": "ASK {}"}, headers=headers).status_code

    def test_only_the_right_password_is(self, ada) -> None:
        assert [self.status(word) for word in ("first", "wrong", "first", "")] == [
            200,
            401,
            200,
            401,
        ]
        assert self.status("first", "nobody") == 401

    def test_a_changed_password_is_asked_for_at_once(self, ada) -> None:
        assert self.status("first") == 200
        ada.set_password("second")
        ada.save()
        assert (self.status("first"), self.status("second")) == (401, 200)

    def test_an_account_that_is_closed_is_closed_at_once(self, ada) -> None:
        assert self.status("first") == 200
        ada.is_active = False
        ada.save()
        assert self.status("first") == 401

    def test_the_hash_is_worked_out_once(self, ada, monkeypatch: pytest.MonkeyPatch) -> None:
        verified = []
        verify = type(ada).check_password
        monkeypatch.setattr(
            type(ada), "check_password", lambda *given: verified.append(1) or verify(*given)
        )
        assert [self.status("first") for _ in range(3)] == [200, 200, 200]
        assert len(verified) == 1


def test_a_session_may_post_a_query_without_a_form_token(writer: Writer, django_user_model) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(django_user_model.objects.create_user("reader"))
    assert names(client.post("/sparql", ALL, content_type=QUERY)) == {"Ada", "Bob"}
