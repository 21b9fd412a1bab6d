"""Competency questions about things that came in by their descriptions."""

from __future__ import annotations

import json

import pytest

from ontology.store import MemoryStore
from registry.services.graph_sync import drain
from registry.services.things import import_thing
from tests.registry.asking import answers, device
from tests.registry.graph_world import make_world
from tests.registry.td_samples import with_change

pytestmark = pytest.mark.django_db


@pytest.fixture
def mast() -> str:
    """A thing of another maker beside devices of ours; its name here."""
    make_world()
    td = with_change("properties|temperature|forms|1|op", "readproperty")
    return import_thing(json.dumps(td).encode()).device_id


@pytest.fixture
def store(mast: str) -> MemoryStore:
    store = MemoryStore()
    drain(store)
    return store


def test_which_devices_have_not_said_what_they_can_do(store: MemoryStore, mast: str) -> None:
    rows = answers(store, "undescribed")
    assert rows == [{"device": mast, "name": mast, "title": "Weather mast"}]


def test_what_one_can_do_with_a_thing(store: MemoryStore, mast: str) -> None:
    rows = answers(store, "interactions", device=device(mast))
    assert [(row["name"], row["operation"], row["target"]) for row in rows] == [
        ("frost", "subscribe event", "frost"),
        ("frost", "unsubscribe event", "frost"),
        ("heat", "invoke action", "heat/{level}"),
        ("temperature", "observe property", "temperature{?unit}"),
        ("temperature", "read property", "raw/{token}"),
        ("temperature", "read property", "temperature{?unit}"),
    ]
    assert {row["contentType"] for row in rows} == {"application/json", "application/cbor"}
