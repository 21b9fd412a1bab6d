"""What clients put on the wire beside the plain cases, against a web process."""

from __future__ import annotations

import json
import socket
from urllib.parse import quote, urlencode, urlsplit

import httpx
import pytest

from tests.conformance.plain_http import send

QUERY = "SELECT (1 AS ?one) {}"
ASKED = f"/sparql?query={quote(QUERY)}"
PATIENCE_S = 60.0  # the first look at the data set counts all of it


def exchange(base: str, request: bytes) -> tuple[int, bytes]:
    """Send these bytes and read to the end; the status, and what follows the headers."""
    address = urlsplit(base)
    with socket.create_connection((address.hostname, address.port), timeout=30.0) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def test_bytes_that_are_no_utf8_in_the_address_are_refused(opened: str) -> None:
    target = b"GET /sparql?query=ASK{}%20#\xff\xfe HTTP/1.1\r\n"
    status, _ = exchange(opened, target + b"Host: localhost\r\nConnection: close\r\n\r\n")
    assert status == 400


def test_an_accept_header_may_come_in_pieces(opened: str) -> None:
    pieces = [("Accept", "text/csv;q=0.2"), ("Accept", "text/tab-separated-values")]
    assert send(opened, "GET", ASKED, pieces).media_type == "text/tab-separated-values"


def test_a_body_may_come_in_chunks(opened: str) -> None:
    chunks = (piece.encode() for piece in (QUERY[:5], QUERY[5:]))
    kind = {"Content-Type": "application/sparql-query"}
    answer = httpx.post(f"{opened}/sparql", content=chunks, headers=kind)
    assert answer.json()["results"]["bindings"][0]["one"]["value"] == "1"


def test_a_client_may_wait_to_be_told_to_go_on(opened: str) -> None:
    head = f"POST /sparql HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(QUERY)}\r\n"
    head += "Content-Type: application/sparql-query\r\nExpect: 100-continue\r\n\r\n"
    address = urlsplit(opened)
    with socket.create_connection((address.hostname, address.port), timeout=30.0) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(QUERY.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_head_sends_no_body_and_leaves_the_connection_in_order(opened: str) -> None:
    with httpx.Client(base_url=opened, timeout=PATIENCE_S) as client:
        whole = client.get(ASKED)
        for path in (ASKED, "/sparql", "/.well-known/void"):
            head = client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["ETag"] == client.get(path).headers["ETag"]
        assert client.head(ASKED).headers["Content-Length"] == str(len(whole.content))
        assert client.get(ASKED).content == whole.content


def test_a_conditional_request_is_spared_the_body(opened: str) -> None:
    with httpx.Client(base_url=opened, timeout=PATIENCE_S) as client:
        tag = client.get(ASKED).headers["ETag"]
        for condition in (tag, f"W/{tag}", f'"x", {tag}'):
            spared = client.get(ASKED, headers={"If-None-Match": condition})
            assert (spared.status_code, spared.content) == (304, b"")
            assert spared.headers["ETag"] == tag
            assert "Vary" in spared.headers


# Requests as clients that are not installed here send them: who, the form, the Accept header, and
# the media type that such a client reads.
OTHERS = [
    (
        "Apache Jena, SELECT",
        {},
        "application/sparql-results+json, application/sparql-results+xml;q=0.9, "
        "text/tab-separated-values;q=0.7, text/csv;q=0.5, application/json;q=0.2, "
        "application/xml;q=0.2, */*;q=0.1",
        "application/sparql-results+json",
    ),
    (
        "Eclipse RDF4J",
        {"queryLn": "SPARQL", "infer": "true", "timeout": "0"},
        "application/x-binary-rdf-results-table;q=0.8, application/sparql-results+xml;q=0.9, "
        "text/x-tab-separated-values-star;q=0.9, application/sparql-results+json, */*;q=0.1",
        "application/sparql-results+json",
    ),
    ("YASGUI", {}, "application/sparql-results+json,*/*;q=0.9", "application/sparql-results+json"),
    (
        "a form of Virtuoso",
        {"default-graph-uri": "", "format": "text/html", "debug": "on"},
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/xml",
    ),
    ("an old library", {}, "text/javascript, application/json;q=0.5", "application/json"),
    ("a spreadsheet", {}, "text/*", "text/csv"),
]


@pytest.mark.parametrize("name, form, accept, media_type", OTHERS, ids=[row[0] for row in OTHERS])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_clients_are_given_what_they_read(
    opened: str, method: str, name: str, form: dict[str, str], accept: str, media_type: str
) -> None:
    asked = urlencode({**form, "query": QUERY})
    headers = [("Accept", accept)]
    if method == "GET":
        reply = send(opened, "GET", f"/sparql?{asked}", headers)
    else:
        headers.append(("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"))
        reply = send(opened, "POST", "/sparql", headers, asked.encode())
    assert (reply.status, reply.media_type) == (200, media_type), reply.body


@pytest.mark.parametrize("accept", ["*/*", "text/html", "text/csv"])
def test_a_refusal_is_a_problem_whatever_is_accepted(opened: str, accept: str) -> None:
    answer = httpx.get(f"{opened}/sparql?query=SELECT", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.status_code == (406 if accept == "text/html" else 400)
    assert set(json.loads(answer.text)) >= {"type", "title", "status", "detail"}


def test_a_long_answer_arrives_whole_and_says_how_long_it_is(opened: str) -> None:
    digits = " ".join(map(str, range(10)))
    values = " ".join(f"VALUES ?{name} {{ {digits} }}" for name in "abcd")
    answer = httpx.post(
        f"{opened}/sparql",
        data={"query": f"SELECT * {{ {values} }}"},
        headers={"Accept": "text/csv"},
        timeout=60.0,
    )
    assert len(answer.text.splitlines()) == 1 + 10**4
    assert answer.headers["Content-Length"] == str(len(answer.content))
