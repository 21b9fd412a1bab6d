"""Checks of what a directory adds to a description: sections 7.3.2.1 and 7.3.2.1.1."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from tests.conformance.directory_client import (
    DISCOVERY,
    TD_CONTEXT,
    Directory,
    description,
    new_id,
)
from tests.conformance.discovery_assertions import asserts

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
UUID_4 = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
CLOCK = timedelta(seconds=2)


def moment(text: str) -> datetime:
    assert RFC_3339.fullmatch(text), text
    return datetime.fromisoformat(text)


def now() -> datetime:
    return datetime.now(UTC)


@asserts("tdd-context-injection")
def every_enriched_td_names_the_discovery_context(directory: Directory) -> None:
    for context in (TD_CONTEXT, [TD_CONTEXT], [TD_CONTEXT, {"ex": "https://ex.example/"}]):
        thing_id = directory.created(**{"@context": context})
        given = directory.thing(thing_id)["@context"]
        assert given.count(DISCOVERY) == 1
        assert given[0] == TD_CONTEXT
    thing_id = directory.created(**{"@context": [TD_CONTEXT, DISCOVERY]})
    assert directory.thing(thing_id)["@context"] == [TD_CONTEXT, DISCOVERY]
    assert all(DISCOVERY in thing["@context"] for thing in directory.listed())


@asserts("tdd-absolute-time")
def times_are_rfc_3339(directory: Directory) -> None:
    end = datetime(2099, 12, 31, 23, 0, tzinfo=UTC)
    for text in ("2099-12-31T23:00:00Z", "2100-01-01T01:00:00+02:00", "2099-12-31t23:00:00.000z"):
        said = directory.registration(directory.created(registration={"expires": text}))
        assert moment(said["expires"]) == end
        assert all(moment(said[name]) for name in ("created", "modified", "retrieved"))
    for text in ("2099-12-31", "2099-12-31T23:00:00", "2099-13-31T23:00:00Z", "tomorrow"):
        reply = directory.put(description(new_id(), registration={"expires": text}))
        assert reply.status == 400, text


@asserts("tdd-registrationinfo-vocab-created")
def created_is_when_it_came_in(directory: Directory) -> None:
    before = now()
    thing_id = directory.created(registration={"created": "2001-01-01T00:00:00Z"})
    created = directory.registration(thing_id)["created"]
    assert before - CLOCK <= moment(created) <= now() + CLOCK
    assert directory.put(description(thing_id, title="Other")).status == 204
    assert directory.registration(thing_id)["created"] == created


@asserts("tdd-registrationinfo-vocab-modified")
def modified_is_when_it_last_changed(directory: Directory) -> None:
    thing_id = directory.created(registration={"modified": "2001-01-01T00:00:00Z"})
    first = directory.registration(thing_id)
    assert moment(first["modified"]) >= moment(first["created"])
    assert directory.patch(thing_id, {"title": "Other"}).status == 204
    assert moment(directory.registration(thing_id)["modified"]) > moment(first["modified"])


@asserts("tdd-registrationinfo-vocab-expires")
def expires_is_the_clients_unless_ttl_is_given(directory: Directory) -> None:
    far = "2099-01-01T00:00:00Z"
    thing_id = directory.created(registration={"expires": far})
    assert moment(directory.registration(thing_id)["expires"]) == moment(far)
    thing_id = directory.created(registration={"expires": far, "ttl": 1000})
    expires = moment(directory.registration(thing_id)["expires"])
    assert abs(expires - now() - timedelta(seconds=1000)) < timedelta(seconds=30)
    assert "expires" not in directory.registration(directory.created())
    short = directory.created(registration={"expires": (now() + timedelta(seconds=1)).isoformat()})
    _wait_until_gone(directory, short)


@asserts("tdd-registrationinfo-vocab-ttl")
def ttl_sets_when_it_expires(directory: Directory) -> None:
    thing_id = directory.created(registration={"ttl": 500})
    said = directory.registration(thing_id)
    assert said["ttl"] == 500
    assert moment(said["expires"]) == moment(said["created"]) + timedelta(seconds=500)
    assert directory.patch(thing_id, {"registration": {"ttl": 5000}}).status == 204
    later = moment(directory.registration(thing_id)["expires"])
    assert abs(later - now() - timedelta(seconds=5000)) < timedelta(seconds=30)
    for wrong in (-1, "60", True):
        reply = directory.put(description(new_id(), registration={"ttl": wrong}))
        assert reply.status == 400, wrong


@asserts("tdd-registrationinfo-vocab-retrieved")
def retrieved_is_when_it_was_given(directory: Directory) -> None:
    thing_id = directory.created()
    first = moment(directory.registration(thing_id)["retrieved"])
    second = moment(directory.registration(thing_id)["retrieved"])
    assert first < second <= now() + CLOCK
    assert all("retrieved" in thing["registration"] for thing in directory.listed())


def _wait_until_gone(directory: Directory, thing_id: str) -> None:
    until = time.monotonic() + 10
    while directory.get(f"/things/{thing_id}").status != 404:
        assert time.monotonic() < until, "it never expired"
        time.sleep(0.1)


@asserts("tdd-registrationinfo-expiry-purge")
def what_has_expired_is_purged(directory: Directory) -> None:
    with directory.listen("/events/thing_deleted") as stream:
        thing_id = directory.created(registration={"ttl": 0.5})
        _wait_until_gone(directory, thing_id)
        assert thing_id not in {thing["id"] for thing in directory.listed()}
        directory.tick()
        [event] = stream.of(thing_id)
        assert event.kind == "thing_deleted"


@asserts("tdd-anonymous-td-identifier")
def an_anonymous_td_is_shown_with_its_local_id(directory: Directory) -> None:
    title = f"Nameless {new_id()}"
    place = directory.anonymous(title=title)
    given: Any = directory.thing_at(place)["id"]
    assert place == f"/things/{given}"
    assert [thing["id"] for thing in directory.listed() if thing["title"] == title] == [given]
    path = quote(f"$[?@.title == '{title}'].id")
    assert json.loads(directory.get(f"/search/jsonpath?query={path}").body) == [given]
    directory.tick()
    query = quote(
        "SELECT ?id { ?d <https://w3id.org/tinyfleet/ontology#thingIdentifier> ?id ;"
        f" <https://www.w3.org/2019/wot/td#title> ?title FILTER(STR(?title) = '{title}') }}"
    )
    rows = json.loads(directory.get(f"/search/sparql?query={query}").body)["results"]["bindings"]
    assert [row["id"]["value"] for row in rows] == [given]


@asserts("tdd-anonymous-td-local-uuid")
def a_local_id_is_a_uuid_of_version_4(directory: Directory) -> None:
    given = {directory.thing_at(directory.anonymous())["id"] for _ in range(3)}
    assert len(given) == 3
    assert all(UUID_4.fullmatch(each) for each in given)
