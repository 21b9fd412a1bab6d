"""The Things directory with many clients at once, and within the limits that settings give it."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import quote

import psutil
import pytest

from tests.conformance.directory_client import (
    Directory,
    address,
    description,
    links,
    new_id,
)
from tests.conformance.discovery_http import is_problem
from tests.conformance.web_installation import WebInstallation

LIMITS = {
    "TINYFLEET_THINGS_EVENTS_HEARTBEAT_S": "0.3",
    "TINYFLEET_THINGS_EVENTS_LIFE_S": "3",
    "TINYFLEET_THINGS_EVENTS_LISTENERS_MAX": "40",
    "TINYFLEET_THINGS_EVENTS_KEPT": "5",
    "TINYFLEET_THINGS_EVENTS_POLL_S": "0.1",
    "TINYFLEET_THINGS_PAGE_MAX": "3",
    "TINYFLEET_JSONPATH_TIMEOUT_S": "1",
    "TINYFLEET_JSONPATH_MAX_BYTES": "300KiB",
}
OWNER = "owner"
_MAKE_OWNER = f"""
from django.contrib.auth.models import User
User.objects.filter(username={OWNER!r}).exists() or User.objects.create_superuser(
    {OWNER!r}, password={OWNER!r})
"""


@pytest.fixture(scope="module")
def owner(web: WebInstallation) -> Mapping[str, str]:
    web.manage("shell", "--verbosity", "0", "-c", _MAKE_OWNER)
    pair = base64.b64encode(f"{OWNER}:{OWNER}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def served(base: str, owner: Mapping[str, str]) -> Directory:
    return Directory(base, False, owner, owner, {}, lambda: None)


@pytest.fixture(scope="module")
def directory(web: WebInstallation, owner: Mapping[str, str]) -> Iterator[Directory]:
    with web.serve(**LIMITS) as base:
        yield served(base, owner)


@pytest.fixture(scope="module")
def second(web: WebInstallation, owner: Mapping[str, str]) -> Iterator[Directory]:
    """Another web process of the same installation."""
    with web.serve(**LIMITS) as base:
        yield served(base, owner)


def test_of_many_that_create_one_thing_one_did(directory: Directory, second: Directory) -> None:
    thing_id = new_id()
    with ThreadPoolExecutor(8) as clients:
        replies = [
            clients.submit(each.put, description(thing_id, title=f"Lamp {number}"))
            for number in range(4)
            for each in (directory, second)
        ]
    assert Counter(reply.result().status for reply in replies) == {201: 1, 204: 7}
    title = directory.thing(thing_id)["title"]
    assert title in {f"Lamp {number}" for number in range(4)}
    assert second.thing(thing_id)["title"] == title


def test_of_many_that_change_the_same_state_one_did(
    directory: Directory, second: Directory
) -> None:
    thing_id = directory.created()
    state = directory.get(address(thing_id)).headers["ETag"]
    with ThreadPoolExecutor(6) as clients:
        replies = [
            clients.submit(each.patch, thing_id, {"title": f"{number}"}, If_Match=state)
            for number in range(3)
            for each in (directory, second)
        ]
    assert Counter(reply.result().status for reply in replies) == {204: 1, 412: 5}


def test_patches_of_different_parts_are_all_kept(directory: Directory, second: Directory) -> None:
    thing_id = directory.created()
    with ThreadPoolExecutor(6) as clients:
        replies = [
            clients.submit(each.patch, thing_id, {f"ex:{number}{name}": 1})
            for number in range(4)
            for name, each in (("a", directory), ("b", second))
        ]
    assert {reply.result().status for reply in replies} == {204}
    wanted = {f"ex:{number}{name}" for number in range(4) for name in "ab"}
    assert wanted <= directory.thing(thing_id).keys()


def test_pages_leave_nothing_out_while_others_come_and_go(directory: Directory) -> None:
    stem = f"urn:ex:{new_id()}"
    stay = [directory.created(id=f"{stem}:{number}") for number in range(6)]
    seen, path, turns = [], "/things?limit=2", 0
    while path:
        reply = directory.get(path)
        seen += [thing["id"] for thing in json.loads(reply.body)]
        path = links(reply).get("next", ("", {}))[0]
        # Before all others, so that an offset would give the last of this page again.
        directory.created(id=f"urn:aaa:{turns}:{new_id()}")
        turns += 1
    assert [thing_id for thing_id in seen if thing_id in stay] == stay
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen)


def test_a_page_has_no_more_than_the_setting_says(directory: Directory) -> None:
    for _ in range(4):
        directory.created()
    for query in ("", "?limit=1000"):
        assert len(json.loads(directory.get(f"/things{query}").body)) == 3
    assert len(directory.listed()) > 3


def test_every_web_process_tells_the_same_in_the_same_order(
    directory: Directory, second: Directory
) -> None:
    with directory.listen() as one, second.listen() as other:
        made = [each.created() for each in (directory, second, second, directory)]
        told = one.of(*made, count=4)
        assert other.of(*made, count=4) == told
    with second.listen(Last_Event_ID=told[2].id) as stream:
        assert stream.of(*made) == [told[3]]


def test_who_was_away_too_long_gets_what_is_left(directory: Directory) -> None:
    with directory.listen() as stream:
        [first] = stream.of(directory.created())
        made = [directory.created() for _ in range(9)]
        stream.of(*made, count=9)
    with directory.listen(Last_Event_ID=first.id) as stream:
        events = stream.of(*made, count=5)
    assert [event.data["id"] for event in events] == made[-5:]


@pytest.mark.parametrize("known", ["none", "-1", "9" * 18, "9" * 30])
def test_who_knows_another_servers_event_starts_from_now(directory: Directory, known: str) -> None:
    with directory.listen(Last_Event_ID=known) as stream:
        thing_id = directory.created()
        assert next(iter(stream)).data == {"id": thing_id}


def test_a_quiet_stream_shows_life_and_ends(directory: Directory) -> None:
    began = time.monotonic()
    with directory.listen() as stream:
        lines = stream.response.read().decode().splitlines()
    assert 2.0 < time.monotonic() - began < 20.0
    assert len([line for line in lines if line.startswith(":")]) > 3


def test_listeners_cost_no_thread_and_are_bounded(directory: Directory) -> None:
    port = int(directory.base.rpartition(":")[2])
    [process] = [child for child in psutil.Process().children() if str(port) in child.cmdline()]
    directory.created()
    before = process.num_threads()
    with ExitStack() as streams:
        opened = [streams.enter_context(directory.listen()) for _ in range(40)]
        assert process.num_threads() - before < 10
        with pytest.raises(AssertionError, match="503"):
            streams.enter_context(directory.listen())
        thing_id = directory.created()
        assert all(stream.of(thing_id) for stream in opened)


def test_a_client_that_reads_nothing_holds_nobody_up(directory: Directory) -> None:
    with directory.listen("/events?diff=true"), directory.listen() as stream:
        made = [directory.created(description="x" * 60_000) for _ in range(8)]
        assert len(stream.of(*made, count=8)) == 8
    for thing_id in made:
        directory.delete(thing_id)


def test_a_search_that_would_take_years_ends(directory: Directory) -> None:
    thing_id = directory.created(title="a" * 60 + "b!")
    began = time.monotonic()
    query = quote("$[?match(@.title, '(a|aa)*b')]")
    reply = directory.get(f"/search/jsonpath?query={query}")
    is_problem(reply, 503)
    assert "1 s" in json.loads(reply.body)["detail"]
    assert time.monotonic() - began < 5
    assert directory.delete(thing_id).status == 204


def test_searches_are_bounded_by_what_they_read_and_give(directory: Directory) -> None:
    made = [directory.created(description="x" * 50_000) for _ in range(2)]
    is_problem(directory.get(f"/search/jsonpath?query={quote('$[*,*,*,*,*,*,*,*]')}"), 413)
    made += [directory.created(description="x" * 60_000) for _ in range(4)]
    is_problem(directory.get(f"/search/jsonpath?query={quote('$[0].id')}"), 413)
    for thing_id in made:
        directory.delete(thing_id)
    nested = "$" + "[?@" * 500 + "]" * 500
    is_problem(directory.get(f"/search/jsonpath?query={quote(nested)}"), 400)
    is_problem(directory.get(f"/search/jsonpath?query={quote('$' + '.a' * 3000)}"), 400)


def test_only_who_may_read_listens(directory: Directory) -> None:
    is_problem(directory.ask("GET", "/events", {}), 401)
