"""Competency questions about things that came in by their descriptions."""

from __future__ import annotations

import json
from importlib import import_module

import pytest
from django.apps import apps

from ontology.store import MemoryStore
from registry.models import Device, GraphChange, SubjectKind, Variant
from registry.services.graph_check import differences
from registry.services.graph_outbox import EVERY
from registry.services.graph_sync import drain
from registry.services.things import import_thing
from tests.registry.asking import answers, device, variant
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


def test_a_device_that_says_nothing_is_unknown_until_it_describes_itself(
    store: MemoryStore, mast: str
) -> None:
    world_variant = variant(Variant.objects.get(name="large"))
    row = Device.objects.get(device_id=mast)
    unknown = {row["constraint"] for row in answers(store, "missing-facts", variant=world_variant)}
    assert unknown == {"flash", "ram", "operators", "dtypes", "sensors", "runtime"}
    row.profile = Device.objects.get(device_id="hall").profile
    row.save()
    drain(store)
    assert answers(store, "missing-facts", variant=world_variant) == []
    assert answers(store, "undescribed") == []
    assert mast in {
        row["name"] for row in answers(store, "devices-for-variant", variant=world_variant)
    }
    assert list(differences(store)) == []


def test_a_graph_from_before_gets_the_verdicts_that_it_lacked(mast: str) -> None:
    GraphChange.objects.all().delete()
    import_module("registry.migrations.0006_verdicts_on_undescribed_devices").mark(apps, None)
    marked = set(GraphChange.objects.values_list("kind", "subject"))
    assert marked == {(SubjectKind.VERDICTS, EVERY), (SubjectKind.DEVICE, mast)}


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
