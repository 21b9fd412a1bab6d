"""Many rows by one statement: what was given is what is read again, whatever it looks like."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from registry.models import BoardType, Device, DeviceStatus, GraphChange
from registry.services.row_sets import insert_rows, update_rows

pytestmark = pytest.mark.django_db

TEXTS = [
    "",
    "NULL",
    "null",
    "a,b",
    "{}",
    '"quoted"',
    "back\\slash",
    "it's",
    " spaces ",
    "50 % of %s",
    "line\nbreak\ttab",
    "ünï \U0001f40c",
]


@pytest.fixture
def devices() -> list[Device]:
    """One device for each text."""
    return [Device.objects.create(device_id=f"pump-{n}") for n in range(len(TEXTS))]


def test_each_row_gets_its_own_values(devices):
    now = timezone.now()
    rows = [
        (device.pk, text, DeviceStatus.ACCEPTED.value, now if text else None)
        for device, text in zip(devices, TEXTS, strict=True)
    ]
    written = update_rows(Device, ("id",), ("description", "status", "accepted_at"), rows)
    assert written == len(TEXTS)
    read = Device.objects.order_by("pk").values_list("pk", "description", "status", "accepted_at")
    assert list(read) == rows


def test_a_key_may_be_written_and_holds_for_what_was_before(devices):
    """So a row that has moved on meanwhile is left alone, and missed in the count."""
    Device.objects.filter(pk=devices[0].pk).update(status=DeviceStatus.REVOKED)
    pending, accepted = DeviceStatus.PENDING.value, DeviceStatus.ACCEPTED.value
    rows = [(device.pk, pending, accepted) for device in devices]
    assert update_rows(Device, ("id", "status"), ("status",), rows) == len(devices) - 1
    statuses = dict(Device.objects.values_list("pk", "status"))
    assert statuses.pop(devices[0].pk) == DeviceStatus.REVOKED
    assert set(statuses.values()) == {accepted}


def test_rows_are_inserted_in_their_order():
    now = timezone.now()
    GraphChange.objects.all().delete()
    insert_rows(GraphChange, ("kind", "subject", "marked_at"), [("device", t, now) for t in TEXTS])
    rows = GraphChange.objects.order_by("pk").values_list("kind", "subject", "marked_at")
    assert list(rows) == [("device", text, now) for text in TEXTS]


def test_a_statement_for_any_number_of_rows(devices):
    rows = [(device.pk, "new") for device in devices]
    with CaptureQueriesContext(connection) as queries:
        update_rows(Device, ("id",), ("description",), rows)
        insert_rows(GraphChange, ("kind", "subject", "marked_at"), [])
        update_rows(Device, ("id",), ("description",), [])
    assert len(queries) == 1


def test_one_of_finds_what_in_finds(devices):
    slugs = [text.replace('"', "'") for text in TEXTS]
    BoardType.objects.bulk_create(
        BoardType(slug=s, name=t) for s, t in zip(slugs, TEXTS, strict=True)
    )
    for wanted in (TEXTS, TEXTS[:3], [TEXTS[5]], ["none of them"], []):
        found = BoardType.objects.filter(name__one_of=wanted)
        assert set(found) == set(BoardType.objects.filter(name__in=wanted))
        assert set(found.values_list("name", flat=True)) == set(wanted) & set(TEXTS)


def test_one_of_takes_keys_of_relations_without_a_join(devices):
    board = BoardType.objects.create(slug="board", name="board")
    found = BoardType.objects.filter(pk__one_of=[board.pk, 0])
    assert found.get() == board
    with CaptureQueriesContext(connection) as queries:
        assert not Device.objects.filter(installed__pk__one_of=range(3000)).exists()
    assert "JOIN" not in queries[0]["sql"]
