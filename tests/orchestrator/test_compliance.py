"""Who runs the best that fits, who could be better and by how much, who is out of reach."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orchestrator.models import DeviceShadow
from orchestrator.policy.compliance import Running, Standing, gain, standing
from orchestrator.services.compliance import compliance
from registry.models import Device, DeviceStatus, RegisteredModel
from registry.services.inventory import set_all_installed
from tests.orchestrator.rollout_world import (
    CRAMPED,
    NOW,
    ROOMY,
    SNUG,
    make_devices,
    make_release,
    run_to_end,
    started,
)

BIG = Running("aa", model=1, accuracy=0.9)
SMALL = Running("bb", model=1, accuracy=0.7)
FOREIGN = Running("cc", model=2, accuracy=0.99)


@pytest.mark.parametrize(
    ("runs", "best", "place"),
    [
        (BIG, BIG, Standing.BEST),
        (Running("aa", model=2), BIG, Standing.BEST),
        (SMALL, BIG, Standing.BEHIND),
        (FOREIGN, BIG, Standing.WITHOUT),
        (None, BIG, Standing.WITHOUT),
        (BIG, None, Standing.UNFIT),
        (None, None, Standing.UNFIT),
    ],
)
def test_where_a_device_stands(runs, best, place):
    assert standing(runs, best) is place


def test_what_is_to_be_had():
    assert gain(SMALL, BIG) == pytest.approx(0.2)
    assert gain(Running("aa", 1), BIG) is None
    assert gain(None, BIG) is None


@pytest.fixture
def world(db):
    """Of one release: two that run the best, one behind, one without, one that nothing fits."""
    roomy = make_devices(3, ROOMY)
    snug = make_devices(1, SNUG)
    make_devices(1, CRAMPED)
    release = make_release()
    large, small = release.variants.get(name="large"), release.variants.get(name="small")
    set_all_installed({roomy[0].pk: large.pk, snug[0].pk: small.pk, roomy[1].pk: small.pk}, NOW)
    week_ago = timezone.now() - timedelta(days=7)
    DeviceShadow.objects.create(device=roomy[0], online=True, last_seen_at=timezone.now())
    DeviceShadow.objects.create(device=roomy[1], online=False, last_seen_at=week_ago)
    return release


@pytest.fixture
def client(django_user_model) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_user("reader"))
    return client


def test_every_member_is_judged_as_a_rollout_would(world):
    found = compliance(world.model)
    assert found.release == world
    assert {each.device.device_id: each.standing.value for each in found.devices} == {
        "roomy-000": "best",
        "roomy-001": "behind",
        "roomy-002": "without",
        "snug-000": "best",
        "cramped-000": "unfit",
    }
    behind = next(each for each in found.devices if each.standing is Standing.BEHIND)
    assert (behind.runs.name, behind.best.name) == ("small", "large")
    assert behind.gain == pytest.approx(0.07)
    assert found.unreachable == 4


def test_the_champion_is_the_measure_until_another_is_confirmed(world):
    RegisteredModel.objects.update(champion=world)
    newer = make_release(seed=2)
    world.model.refresh_from_db()
    assert compliance(world.model).release == world
    run_to_end(started(newer))
    world.model.refresh_from_db()
    found = compliance(world.model)
    assert found.release == newer
    assert found.counts == {"best": 4, "behind": 0, "without": 0, "unfit": 1}


def test_those_that_are_no_members_do_not_count(world):
    Device.objects.filter(device_id="roomy-002").update(status=DeviceStatus.REVOKED)
    assert compliance(world.model).counts["without"] == 0


def test_over_rest(world, client):
    page = client.get("/api/v1/compliance/", {"model": "digits", "standing": "behind"}).json()
    assert page["release"] == "digits/1"
    assert page["counts"] == {"best": 2, "behind": 1, "without": 1, "unfit": 1}
    [row] = page["results"]
    assert (row["device"], row["runs"], row["best"]) == (
        "roomy-001",
        "digits/1/small",
        "digits/1/large",
    )
    assert row["last_seen_at"] and row["online"] is False
    reached = client.get("/api/v1/compliance/", {"model": "digits", "unreachable": "false"}).json()
    assert [each["device"] for each in reached["results"]] == ["roomy-000"]
    second = client.get("/api/v1/compliance/", {"model": "digits", "limit": 2, "offset": 4}).json()
    assert (second["count"], len(second["results"])) == (5, 1)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "model"),
        ({"model": "nothing"}, "model"),
        ({"model": "digits", "standing": "x"}, "standing"),
    ],
)
def test_what_cannot_be_asked_is_named(world, client, query, name):
    answer = client.get("/api/v1/compliance/", query)
    assert answer.status_code == 400
    assert name in answer.json()


def test_in_the_admin(world, admin_client, client):
    page = admin_client.get("/admin/compliance/").content.decode()
    assert "Measured by digits/1" in page
    for words in ("roomy-001", "digits/1/large", "7.0%", "1 week ago", "never", "online"):
        assert words in page.replace("\xa0", " "), words
    behind = admin_client.get("/admin/compliance/", {"standing": "behind"}).content.decode()
    assert "roomy-001" in behind and "roomy-000" not in behind
    assert "/admin/orchestrator/rollout/add/?release=digits%2F1" in page, "the way up to date"
    assert client.get("/admin/compliance/").status_code == 302


def test_before_there_is_any_model(db, admin_client):
    assert "There is no model yet." in admin_client.get("/admin/compliance/").content.decode()
