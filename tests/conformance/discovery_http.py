"""Checks of errors, methods, access and media types: sections 7.3.2.1.2 and 7.3.2.2."""

from __future__ import annotations

import gzip
import json
from urllib.parse import quote

from tests.conformance.directory_client import (
    PROBLEM_TYPE,
    TD_CONTEXT,
    TD_TYPE,
    Directory,
    address,
    as_bytes,
    description,
    new_id,
)
from tests.conformance.discovery_assertions import absent, asserts
from tests.conformance.plain_http import Reply


def is_problem(reply: Reply, status: int) -> None:
    assert reply.status == status, (reply.status, status, reply.body)
    assert reply.media_type == PROBLEM_TYPE
    said = json.loads(reply.body)
    assert said.get("status", status) == status
    assert isinstance(said["title"], str)
    assert isinstance(said["detail"], str)


def refusals(directory: Directory) -> list[tuple[Reply, int]]:
    """One refusal of each kind, with the status that it has."""
    thing_id, nobody = directory.created(), {}
    return [
        (directory.put(description(thing_id, title=5)), 400),
        (directory.get("/things?limit=many"), 400),
        (directory.ask("DELETE", address(thing_id), nobody), 401),
        (directory.ask("DELETE", address(thing_id), directory.stranger), 403),
        (directory.get(address(new_id())), 404),
        (directory.get("/events/none"), 404),
        (directory.ask("PUT", "/things", directory.writer, b"{}"), 405),
        (directory.get(address(thing_id), Accept="text/turtle"), 406),
        (directory.put(description(thing_id), If_None_Match="*"), 412),
        (directory.put(description(thing_id, title="x" * 70_000)), 413),
        (directory.patch(thing_id, {}, Content_Type="application/json"), 415),
        (directory.get("/search/xpath?query=*"), 501),
    ]


@asserts("tdd-http-error-response")
def every_error_is_a_problem(directory: Directory) -> None:
    for reply, status in refusals(directory):
        is_problem(reply, status)


@asserts("tdd-http-error-response-utf-8")
def problems_are_utf_8(directory: Directory) -> None:
    reply = directory.get(address("urn:ex:ü-漢-😀"))
    is_problem(reply, 404)
    assert "ü-漢-😀" in reply.body.decode("utf-8")
    assert "ü" in json.loads(reply.body.decode("utf-8"))["detail"]
    assert "charset" not in reply.headers["Content-Type"]


@absent(
    "tdd-http-error-response-lang",
    reason="problems are written in English alone, whatever Accept-Language asks for",
)
def problems_are_english(directory: Directory) -> None:
    path = address(new_id())
    english = directory.get(path, Accept_Language="en").body
    assert directory.get(path, Accept_Language="de").body == english


@asserts("tdd-http-head")
def head_gives_the_headers_of_get(directory: Directory) -> None:
    thing = address(directory.created())
    found = ["/.well-known/wot", "/things", thing, "/search/jsonpath?query=$"]
    found.append(f"/search/sparql?query={quote('ASK { ?s ?p ?o }')}")
    for path in [*found, address(new_id()), "/search/xpath?query=*"]:
        whole, head = directory.get(path), directory.head(path)
        assert head.status == whole.status, path
        assert head.media_type == whole.media_type, path
        assert head.body == b"", path
    for kind in ("", "/thing_created", "/thing_updated", "/thing_deleted"):
        head = directory.head(f"/events{kind}")
        assert (head.status, head.media_type, head.body) == (200, "text/event-stream", b"")


@asserts("tdd-http-unsupported-feature")
def what_is_not_supported_is_said(directory: Directory) -> None:
    for path in ("/things?sort_by=title", "/things?sort_order=desc", "/search/xpath?query=*"):
        is_problem(directory.get(path), 501)


@asserts("tdd-things-read-only-auth")
def writing_takes_permission(directory: Directory) -> None:
    thing_id = directory.created()
    body = as_bytes(description(thing_id, title="Changed"))
    attempts = [
        ("PUT", address(thing_id), body, TD_TYPE),
        ("PATCH", address(thing_id), b'{"title": "Changed"}', "application/merge-patch+json"),
        ("DELETE", address(thing_id), b"", TD_TYPE),
        ("PUT", address(new_id()), body, TD_TYPE),
        ("POST", "/things", as_bytes(description(None)), TD_TYPE),
    ]
    for method, path, sent, media_type in attempts:
        for signed, status in (({}, 401), (directory.stranger, 403)):
            reply = directory.ask(method, path, signed, sent, Content_Type=media_type)
            is_problem(reply, status)
        assert "WWW-Authenticate" in directory.ask(method, path, {}, sent).headers
    assert directory.thing(thing_id)["title"] == "Lamp"
    unknown = directory.ask("GET", "/things", {})
    assert unknown.status == (200 if directory.is_open else 401)


@asserts("tdd-things-default-representation")
def json_ld_is_the_default(directory: Directory) -> None:
    thing_id = new_id()
    body = as_bytes(description(thing_id))
    assert directory.ask("PUT", address(thing_id), directory.writer, body).status == 201
    for path in (address(thing_id), "/things", "/things?format=collection"):
        reply = directory.get(path)
        assert reply.media_type in {TD_TYPE, "application/ld+json", "application/json"}
        said = json.loads(reply.body)
        documents = said if isinstance(said, list) else [said]
        assert all(TD_CONTEXT in each["@context"] or "members" in each for each in documents)


@asserts("tdd-things-representation-alternate-input")
def other_media_types_and_codings_come_in(directory: Directory) -> None:
    for media_type in ("application/json", "application/ld+json"):
        thing_id = new_id()
        assert directory.put(description(thing_id), Content_Type=media_type).status == 201
    thing_id = new_id()
    packed = gzip.compress(as_bytes(description(thing_id)))
    headers = {"Content_Type": TD_TYPE, "Content_Encoding": "gzip"}
    reply = directory.ask("PUT", address(thing_id), directory.writer, packed, **headers)
    assert reply.status == 201, reply.body
    assert directory.thing(thing_id)["title"] == "Lamp"
    is_problem(directory.put(description(new_id()), Content_Type="text/turtle"), 415)


@asserts("tdd-http-representation-alternate-output")
def other_media_types_and_codings_go_out(directory: Directory) -> None:
    path = address(directory.created(description="Shines " * 200))
    for media_type in ("application/ld+json", "application/json", TD_TYPE):
        assert directory.get(path, Accept=media_type).media_type == media_type
    accept = "application/td+json;q=0.3, application/ld+json;q=0.9"
    assert directory.get(path, Accept=accept).media_type == "application/ld+json"
    packed = directory.get(path, Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.body))["title"] == "Lamp"
    is_problem(directory.get(path, Accept="text/turtle"), 406)
