"""Events of the directory: numbered once, without gaps, and kept for a while."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from orchestrator.services.scheduling import parts
from registry.models import Device, ThingEvent, ThingEventKind, ThingRegistration
from registry.services import thing_directory, thing_events
from tests.registry.td_samples import THING

pytestmark = pytest.mark.django_db
ID = THING["id"]


def put(**members: object) -> None:
    thing_directory.put(ID, json.dumps(THING | members).encode())


def told(after: int = 0) -> list[ThingEvent]:
    return thing_events.between(after, thing_events.latest(), ThingEventKind.values, 100)


def test_numbers_have_no_gaps_and_stay() -> None:
    put()
    put(title="Other")
    first = [(event.number, event.kind) for event in told()]
    thing_directory.delete(ID)
    assert first == [(1, "thing_created"), (2, "thing_updated")]
    assert [(event.number, event.kind) for event in told()] == [*first, (3, "thing_deleted")]
    assert [event.number for event in told(after=2)] == [3]


def test_what_changes_nothing_is_no_event() -> None:
    put()
    put()
    assert [event.kind for event in told()] == ["thing_created"]


def test_only_so_many_are_kept_and_numbers_go_on(settings) -> None:
    settings.THINGS_EVENTS_KEPT = 2
    put()
    for title in "abc":
        put(title=title)
    assert [event.number for event in told()] == [3, 4]
    put(title="d")
    assert [event.number for event in told()] == [4, 5]


def test_an_update_tells_what_is_new_in_what_clients_get() -> None:
    put()
    put(title="Other")
    patch = json.loads(told()[-1].detail)
    assert (patch["id"], patch["title"]) == (ID, "Other")
    assert set(patch) == {"id", "title", "registration"}
    assert set(patch["registration"]) == {"modified"}


def test_the_scheduler_ends_what_has_expired() -> None:
    put(registration={"ttl": 60})
    [part] = [part for part in parts() if part.name == "things"]
    now = timezone.now()
    assert part.run(now) == 0
    ThingRegistration.objects.update(expires=now - timedelta(seconds=1))
    assert part.run(now) == 1
    assert not Device.objects.exists()
    assert [event.kind for event in told()] == ["thing_created", "thing_deleted"]


def test_a_repeated_description_begins_its_time_anew() -> None:
    put(registration={"ttl": 60})
    before = ThingRegistration.objects.get()
    ThingRegistration.objects.update(expires=before.expires - timedelta(seconds=30))
    put(registration={"ttl": 60})
    after = ThingRegistration.objects.get()
    assert after.expires >= before.expires
    assert (after.modified, after.version) == (before.modified, before.version)


def test_what_has_expired_may_come_again_as_new() -> None:
    put(registration={"ttl": 60})
    ThingRegistration.objects.update(expires=timezone.now() - timedelta(seconds=1))
    with pytest.raises(thing_directory.NotRegistered):
        thing_directory.find(ID)
    assert thing_directory.put(ID, json.dumps(THING).encode()).is_new
    assert [event.kind for event in told()] == ["thing_created", "thing_deleted", "thing_created"]
