"""A filter selects the same devices in REST, in the admin and for rollouts, known or not."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.models import DeviceShadow, Rollout
from orchestrator.services.rollouts import RolloutError, plan
from registry.models import Device, DeviceStatus, Fleet
from registry.selection.terms import Comparator, Comparison, Every, Known, Not, Some
from registry.services.device_selection import read_filter, selecting, selection_fields
from tests.orchestrator.rollout_world import (
    NOW,
    ROOMY,
    SNUG,
    make_devices,
    make_release,
    make_rollout,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    """Five devices, of which one is undescribed, in two overlapping fleets."""
    roomy, snug = make_devices(2, ROOMY), make_devices(2, SNUG)
    Device.objects.create(device_id="bare", status=DeviceStatus.ACCEPTED)
    for slug, members in {"east": [roomy[0], snug[0]], "west": [snug[0], snug[1]]}.items():
        Fleet.objects.create(slug=slug, name=slug).devices.set(members)
    moment = timezone.now()
    DeviceShadow.objects.create(device=roomy[0], online=True, last_seen_at=moment)
    DeviceShadow.objects.create(device=snug[1], last_seen_at=moment - timedelta(days=9))


def chosen(text: str) -> list[str]:
    found = Device.objects.filter(selecting(read_filter(text), timezone.now()))
    return sorted(found.values_list("device_id", flat=True))


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("board = board-snug", ["snug-000", "snug-001"]),
        ("board != board-snug", ["bare", "roomy-000", "roomy-001"]),
        ("board is unknown", ["bare"]),
        ("id ~ *-000", ["roomy-000", "snug-000"]),
        ("id ~ r.*", []),
        ("slot < 64 KiB", ["snug-000", "snug-001"]),
        ("not slot < 64 KiB", ["bare", "roomy-000", "roomy-001"]),
        ("fleet = east and fleet = west", ["snug-000"]),
        ("fleet in (east, west) and not fleet = west", ["roomy-000"]),
        ("fleet is unknown", ["bare", "roomy-001"]),
        ("online", ["roomy-000"]),
        ("not online and board is known", ["roomy-001", "snug-000", "snug-001"]),
        ("last_seen < now-7d", ["snug-001"]),
        ("not not last_seen < now-7d", ["snug-001"]),
        ("sensor = microphone", []),
        (
            "sensor is unknown and core ~ cortex*",
            ["roomy-000", "roomy-001", "snug-000", "snug-001"],
        ),
        ("runtime = tflite-micro and kernels = reference and id = snug-001", ["snug-001"]),
        ("model is known", []),
        ("status = accepted and accepted is unknown and id = bare", ["bare"]),
    ],
)
def test_who_is_selected(world, text, devices):
    assert chosen(text) == devices


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a?c*", ["a?c"]),
        ("a[bc]*", ["a[bc]"]),
        ("a%c*", ["a%c"]),
        ("*_c", ["a_c"]),
        ("*\\*", ["a\\c"]),
        ("A*", []),
        ("a*c", ["a%c", "a?c", "a\\c", "a_c", "abc"]),
    ],
)
def test_in_a_pattern_only_the_star_means_something_else(db, pattern, names):
    known = ["a?c", "abc", "a[bc]", "a%c", "a_c", "a\\c"]
    Device.objects.bulk_create(Device(device_id=name) for name in known)
    assert sorted(Device.objects.filter(device_id__glob=pattern), key=str) == sorted(
        Device.objects.filter(device_id__in=names), key=str
    )


def test_many_stars_are_decided_at_once(db):
    """A regular expression tries two thousand million divisions of this name."""
    Device.objects.create(device_id="a" * 60)
    assert chosen("id ~ *" + "a*" * 7 + "b") == []
    assert chosen("id ~ *" + "a*" * 7) == ["a" * 60]


LEAVES = [
    Comparison("board", Comparator.EQUAL, ("board-snug",)),
    Comparison("slot", Comparator.AT_LEAST, (2049,)),
    Comparison("fleet", Comparator.EQUAL, ("west",)),
    Comparison("online", Comparator.EQUAL, (True,)),
    Known("board"),
    Known("last_seen"),
]
TERMS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(Every, st.tuples(inner, inner)),
        st.builds(Some, st.tuples(inner, inner)),
    ),
    max_leaves=8,
)


def facts_of(device: Device) -> SimpleNamespace:
    shadow = getattr(device, "shadow", None)
    firmware = device.profile.firmware if device.profile else None
    return SimpleNamespace(
        board={device.profile.board.slug} if device.profile else set(),
        slot={firmware.slot_bytes} if firmware else set(),
        fleet={fleet.slug for fleet in device.fleets.all()},
        online={shadow.online} if shadow else set(),
        last_seen={shadow.last_seen_at} if shadow else set(),
    )


def holds(term: Any, facts: SimpleNamespace) -> bool:
    """The language's meaning, said once more in plain sets."""
    match term:
        case Not(inner):
            return not holds(inner, facts)
        case Every(terms):
            return all(holds(each, facts) for each in terms)
        case Some(terms):
            return any(holds(each, facts) for each in terms)
        case Known(name):
            return bool(getattr(facts, name))
        case Comparison(name, Comparator.EQUAL, values):
            return bool(getattr(facts, name) & set(values))
    return any(value >= term.values[0] for value in getattr(facts, term.name))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TERMS)
def test_the_database_selects_what_the_language_means(world, term):
    meant = [each.device_id for each in Device.objects.all() if holds(term, facts_of(each))]
    found = Device.objects.filter(selecting(term, NOW)).values_list("device_id", flat=True)
    assert sorted(found) == sorted(meant)


@pytest.mark.parametrize("name", selection_fields())
def test_every_field_can_be_asked(world, name):
    assert len(chosen(f"{name} is known")) + len(chosen(f"{name} is unknown")) == 5


def test_rest_lists_what_is_meant(world, django_user_model):
    client = Client()
    client.force_login(django_user_model.objects.create_user("reader"))
    page = client.get("/api/v1/devices/", {"filter": "fleet = west and not id = snug-001"})
    assert [row["device_id"] for row in page.json()["results"]] == ["snug-000"]
    wrong = client.get("/api/v1/devices/", {"filter": "bord = x"})
    assert wrong.status_code == 400
    assert "Did you mean board?" in wrong.json()["filter"][0]


def test_the_admin_lists_what_is_meant(world, admin_client):
    page = admin_client.get("/admin/registry/device/", {"filter": "fleet = west"})
    text = page.content.decode()
    assert "snug-000" in text and "snug-001" in text and "roomy-000" not in text
    wrong = admin_client.get("/admin/registry/device/", {"filter": "fleet ="}).content.decode()
    assert "ends where something is still to come" in wrong
    assert "snug-000" not in wrong


def test_a_rollout_goes_to_what_is_meant_when_it_starts(world):
    rollout = make_rollout(make_release(), target={"filter": "fleet = west"})
    assert {s.device.device_id for s in plan(rollout, NOW).assignments} == {"snug-000", "snug-001"}
    Fleet.objects.get(slug="west").devices.add(Device.objects.get(device_id="roomy-001"))
    assert len(plan(rollout, NOW).assignments) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("board = nowhere", "The filter 'board = nowhere' selects no accepted device"),
        ("board", "compared with nothing"),
        ("", "does not take"),
    ],
)
def test_a_rollout_to_nobody_is_refused(world, text, words):
    with pytest.raises(RolloutError, match=words):
        make_rollout(make_release(), target={"filter": text})
    assert not Rollout.objects.exists()
