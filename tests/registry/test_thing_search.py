"""Search by JSONPath: what it sees, and what it may take."""

from __future__ import annotations

import json

import pytest
from django.http import HttpResponse
from django.test import Client

from ontology.places import Places
from registry.services import thing_directory, thing_search
from registry.services.query_limits import asker
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


def found(query: str) -> bytes:
    return by_jsonpath(query, "somebody")


def failure(query: str) -> str:
    with pytest.raises(SearchFailed) as failed:
        found(query)
    return failed.value.kind


def test_it_runs_over_all_things_in_the_order_of_their_ids(things: list[str]) -> None:
    assert json.loads(found("$[*].id")) == things
    assert json.loads(found("$[-1:].id")) == things[-1:]
    assert json.loads(found("$[?match(@.title, 'Thing [12]')].id")) == things[1:]
    assert json.loads(found("$[?@.registration.created].id")) == things
    assert json.loads(found("$[?@.title == 'none']")) == []


@pytest.mark.parametrize("query", ["*/id", "$[", "$[?unknown(@.a)]", "$[?match(@.a)]", "$" * 9])
def test_what_is_no_query_is_said_to_be_none(things: list[str], query: str) -> None:
    assert failure(query) == "syntax"


def test_a_query_may_only_be_so_long(settings, things: list[str]) -> None:
    settings.JSONPATH_MAX_QUERY_BYTES = len("$[*].id")
    assert found("$[*].id")
    assert failure("$[*].idx") == "long"


def test_memory_is_bounded(settings, things: list[str]) -> None:
    settings.JSONPATH_MEMORY_BYTES = 1_000_000
    query = "$" + "[*,*,*,*,*,*,*,*]" * 8
    assert failure(query) == "memory"


def test_only_so_many_search_at_once(settings, things: list[str], monkeypatch) -> None:
    settings.JSONPATH_TIMEOUT_S = 0.1
    places = Places(1, kept=1)
    monkeypatch.setattr(thing_search, "_PLACES", places)
    with places.one("another", 1, 0):
        assert failure("$") == "busy"


def test_one_user_leaves_a_place_to_another(
    settings, things: list[str], monkeypatch, django_user_model
) -> None:
    one, other = (django_user_model.objects.create_user(name) for name in ("one", "other"))
    held = Places(2, kept=1)
    monkeypatch.setattr(thing_search, "_PLACES", held)
    monkeypatch.setattr(thing_search, "_SHARE", 1)
    with held.one(asker(one).name, 1, 0):
        settings.JSONPATH_TIMEOUT_S = 0.1  # no longer waits who has a share already
        refused = asked_by(one)
        settings.JSONPATH_TIMEOUT_S = 5.0
        assert asked_by(other).json() == things
    assert (refused.status_code, refused["Retry-After"]) == (503, "1")
    assert "your share" in refused.json()["detail"]
    assert asked_by(one).json() == things
    assert held.taken == 0


def asked_by(user) -> HttpResponse:
    client = Client()
    client.force_login(user)
    return client.get("/search/jsonpath", {"query": "$[*].id"})
