"""Search by JSONPath: what it sees, and what it may take."""

from __future__ import annotations

import json

import pytest

from registry.services import thing_directory, thing_search
from registry.services.thing_search import SearchFailed, by_jsonpath
from tests.registry.td_samples import THING

pytestmark = pytest.mark.django_db


@pytest.fixture
def things(db) -> list[str]:
    """The ids of some things, in their order."""
    ids = [f"urn:ex:{number}" for number in range(3)]
    for thing_id in reversed(ids):
        td = THING | {"id": thing_id, "title": f"Thing {thing_id[-1]}"}
        thing_directory.put(thing_id, json.dumps(td).encode())
    return ids


def failure(query: str) -> str:
    with pytest.raises(SearchFailed) as failed:
        by_jsonpath(query)
    return failed.value.kind


def test_it_runs_over_all_things_in_the_order_of_their_ids(things: list[str]) -> None:
    assert json.loads(by_jsonpath("$[*].id")) == things
    assert json.loads(by_jsonpath("$[-1:].id")) == things[-1:]
    assert json.loads(by_jsonpath("$[?match(@.title, 'Thing [12]')].id")) == things[1:]
    assert json.loads(by_jsonpath("$[?@.registration.created].id")) == things
    assert json.loads(by_jsonpath("$[?@.title == 'none']")) == []


@pytest.mark.parametrize("query", ["*/id", "$[", "$[?unknown(@.a)]", "$[?match(@.a)]", "$" * 9])
def test_what_is_no_query_is_said_to_be_none(things: list[str], query: str) -> None:
    assert failure(query) == "syntax"


def test_a_query_may_only_be_so_long(settings, things: list[str]) -> None:
    settings.JSONPATH_MAX_QUERY_BYTES = len("$[*].id")
    assert by_jsonpath("$[*].id")
    assert failure("$[*].idx") == "long"


def test_memory_is_bounded(settings, things: list[str]) -> None:
    settings.JSONPATH_MEMORY_BYTES = 1_000_000
    query = "$" + "[*,*,*,*,*,*,*,*]" * 8
    assert failure(query) == "memory"


def test_only_so_many_search_at_once(settings, things: list[str], monkeypatch) -> None:
    settings.JSONPATH_TIMEOUT_S = 0.1
    taken = type(thing_search._PLACES)(1)
    monkeypatch.setattr(thing_search, "_PLACES", taken)
    taken.acquire()
    assert failure("$") == "busy"
