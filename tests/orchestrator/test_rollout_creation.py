"""A rollout that cannot be is refused with a sentence, and nothing is written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestrator.models import Deployment, Rollout
from orchestrator.services import rollouts
from orchestrator.services.rollouts import RolloutError
from registry.models import Device, DeviceStatus, Fleet
from tests.orchestrator.rollout_world import (
    CRAMPED,
    NOW,
    ROOMY,
    SNUG,
    Status,
    make_devices,
    make_release,
    make_rollout,
    run_to_end,
    seconds,
    started,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet():
    make_devices(4, ROOMY)
    make_devices(2, SNUG)
    make_devices(1, CRAMPED)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"target": {"fleet": "nowhere"}}, "no fleet 'nowhere'"),
        ({"target": {"devices": ["roomy-000", "rommy-001"]}}, "no device rommy-001"),
        ({"target": {"devices": []}}, "does not take"),
        ({"target": {}}, "A target is"),
        ({"target": {"all": True, "fleet": "x"}}, "A target is"),
        ({"target": "all"}, "A target is"),
        ({"target": {"all": 1}}, "does not take"),
        ({"target": {"devices": [1]}}, "does not take"),
        ({"wave_percentages": (50, 10, 100)}, "must rise"),
        ({"wave_percentages": (10, 50)}, "end at 100, not 10, 50"),
        ({"wave_percentages": ()}, "list of cumulative percentages"),
        ({"wave_percentages": (0, 100)}, "from above 0"),
        ({"wave_percentages": ("all",)}, "list of cumulative percentages"),
        ({"success_threshold": 1.5}, "1.5 can never be met"),
        ({"error_threshold": -0.1}, "-0.1 can never be met"),
        ({"success_threshold": float("nan")}, "can never be met"),
        ({"soak_s": -1}, "soak"),
        ({"health": {"mood": 1}}, "no health limit 'mood'"),
        ({"health": {"max_restarts": "few"}}, "max_restarts is a number"),
        ({"health": {"max_accuracy_drop": 1.5}, "soak_s": 60}, "No accuracy drops by more than 1"),
        ({"health": {"max_latency_ratio": 0}, "soak_s": 60}, "Nothing takes no time"),
        ({"health": {"max_restarts": 2}}, "one of 0 seconds shows nothing"),
        ({"soak_s": 2**31}, "soak"),
        ({"start_at": seconds(-1)}, "in the past"),
        ({"start_at": datetime.max.replace(tzinfo=UTC)}, "over ten years ahead"),
        ({"start_at": seconds(10), "expires_at": seconds(5)}, "expire before it starts"),
        ({"expires_at": seconds(0)}, "expire before it starts"),
        ({"expires_at": seconds(32 * 86400)}, "longer than the 31 days"),
        ({"name": " "}, "needs a name"),
        ({"name": "x" * 161}, "needs a name"),
    ],
)
def test_what_does_not_hold_is_named(fleet, policy, words):
    with pytest.raises(RolloutError, match=words):
        make_rollout(**policy)
    assert not Rollout.objects.exists()


def test_every_field_that_does_not_hold_is_named_at_once(fleet):
    with pytest.raises(RolloutError) as refused:
        make_rollout(name="", target={"fleet": 1}, success_threshold=2, start_at=seconds(-1))
    assert set(refused.value.fields) == {"name", "target", "success_threshold", "start_at"}
    assert str(refused.value) == refused.value.fields["name"]


#: NOW is noon on a Tuesday.
WEEKEND = {"from": "08:00", "to": "18:00", "days": ["sat", "sun"]}


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"window": WEEKEND}, "Nothing can ever be sent: its hours do not begin before it expires"),
        ({"window": WEEKEND, "success_threshold": 0}, "Nothing can ever be sent"),
        ({"max_per_minute": 1}, "6 devices have to succeed, but .* at most 5 orders"),
        ({"max_per_minute": 1, "wave_sizes": (1,)}, "6 devices have to succeed"),
    ],
)
def test_a_threshold_that_time_cannot_meet(fleet, policy, words):
    """Six of the seven devices can run something; one in ten may fail."""
    how = {"expires_at": seconds(290), "error_threshold": 0.5, **policy}
    with pytest.raises(RolloutError, match=words) as refused:
        make_rollout(**how)
    assert list(refused.value.fields) == ["expires_at"]
    assert not Rollout.objects.exists()


def test_a_threshold_that_time_can_just_meet(fleet):
    assert make_rollout(expires_at=seconds(300), max_per_minute=1)
    assert make_rollout(expires_at=seconds(290), max_per_minute=1, success_threshold=5 / 6)
    assert make_rollout(expires_at=seconds(10), max_per_minute=1, success_threshold=0)


def test_a_draft_for_which_too_little_time_is_left_is_not_started(fleet):
    rollout = make_rollout(expires_at=seconds(300), max_per_minute=1)
    with pytest.raises(RolloutError, match="at most 4 orders"):
        rollouts.start_rollout(rollout, seconds(100))
    assert not Deployment.objects.exists()


def test_either_a_release_or_a_variant(fleet):
    release = make_release()
    both = {"release": release, "variant": release.variants.first()}
    for what in (both, {}):
        with pytest.raises(RolloutError, match="either a release or one variant"):
            rollouts.create_rollout("trial", target={"all": True}, now=NOW, **what)


def test_a_release_without_variants(fleet):
    with pytest.raises(RolloutError, match="has no variant to send"):
        make_rollout(make_release(variants={}))


def test_what_is_known_by_its_figures_alone_is_not_sent(fleet):
    release = make_release(variants={})
    paper = release.variants.create(name="paper")
    for what in ({"release": release}, {"variant": paper}):
        with pytest.raises(RolloutError, match="has no (variant to send|artifact to send)"):
            make_rollout(**what)
    mixed = make_release()
    mixed.variants.create(name="paper")
    got = rollouts.plan(make_rollout(mixed)).assignments
    assert {share.variant.name for share in got if share.variant} == {"large", "small"}


def test_a_release_that_fits_nobody_says_by_how_much():
    make_devices(2, CRAMPED)
    with pytest.raises(RolloutError, match=r"fits any of the 2 devices.*needs 1,216 B of flash"):
        make_rollout()
    assert not Rollout.objects.exists()


def test_a_fleet_without_accepted_devices(fleet):
    Fleet.objects.create(slug="empty", name="Empty")
    with pytest.raises(RolloutError, match="'empty' has no accepted device"):
        make_rollout(target={"fleet": "empty"})


def test_a_device_that_is_not_accepted_is_named(fleet):
    Device.objects.filter(device_id="roomy-001").update(status=DeviceStatus.REVOKED)
    with pytest.raises(RolloutError, match="Not accepted.*roomy-001"):
        make_rollout(target={"devices": ["roomy-000", "roomy-001"]})


def test_a_fleet_is_its_accepted_devices(fleet):
    shop = Fleet.objects.create(slug="shop", name="Shop")
    shop.devices.set(Device.objects.filter(device_id__in=["roomy-000", "roomy-001", "snug-000"]))
    Device.objects.filter(device_id="roomy-001").update(status=DeviceStatus.REVOKED)
    plan = rollouts.plan(make_rollout(target={"fleet": "shop"}))
    assert [share.device.device_id for share in plan.assignments] == ["roomy-000", "snug-000"]


def test_a_dry_run_says_who_gets_what_and_who_nothing_and_why(fleet):
    rollout = make_rollout(wave_percentages=(10, 50, 100))
    plan = rollouts.plan(rollout)
    got = {share.device.device_id: share for share in plan.assignments}
    assert {share.variant.name for name, share in got.items() if "roomy" in name} == {"large"}
    assert {share.variant.name for name, share in got.items() if "snug" in name} == {"small"}
    refused = got["cramped-000"]
    assert refused.outcome is Status.NOT_APPLICABLE
    assert refused.detail == "digits/1/small needs 1,216 B of flash, has 512 B: 704 B short"
    nearest = refused.reasons[0]
    assert (nearest["variant"], nearest["constraint"]) == ("digits/1/small", "flash")
    assert (nearest["need"], nearest["have"], nearest["unit"]) == (1216, 512, "B")
    assert plan.download_bytes == 4 * 4624 + 2 * 1216
    assert plan.published_bytes == 4624 + 1216
    assert sorted(share.wave for share in plan.updates) == [1, 2, 2, 3, 3, 3]
    assert not Deployment.objects.exists()


def test_a_dry_run_needs_no_saved_rollout(fleet):
    draft = rollouts.draft_rollout(
        "trial", release=make_release(), target={"all": True}, user=None, now=NOW
    )
    assert len(rollouts.plan(draft).updates) == 6
    assert not Rollout.objects.exists()


def test_who_has_it_already_gets_nothing(fleet):
    release = make_release()
    run_to_end(started(release))
    plan = rollouts.plan(make_rollout(release, name="again"))
    assert len(plan.with_outcome(Status.ALREADY_INSTALLED)) == 6
    assert plan.download_bytes == 0


def test_one_variant_goes_only_where_it_fits(fleet):
    large = make_release().variants.get(name="large")
    plan = rollouts.plan(make_rollout(variant=large))
    assert {share.device.device_id for share in plan.updates} == {f"roomy-00{n}" for n in range(4)}
    assert {share.device.device_id for share in plan.refused} == {
        "snug-000",
        "snug-001",
        "cramped-000",
    }


def test_a_device_that_has_not_described_itself_gets_nothing(fleet):
    Device.objects.create(device_id="silent", status=DeviceStatus.ACCEPTED)
    refused = rollouts.plan(make_rollout()).refused
    words = {share.device.device_id: share.detail for share in refused}
    assert words["silent"] == "the device has not described itself yet"


def test_a_draft_sends_nothing(fleet):
    make_rollout()
    assert rollouts.tick(seconds(10)) == 0
    assert not Deployment.objects.exists()


def test_many_devices_cost_no_more_queries_than_few(fleet):
    """Of the plan and the start of a release that some have, some get and some cannot have."""
    release = make_release()
    run_to_end(started(release, target={"devices": ["roomy-000", "snug-000"]}))

    def asked(name: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            started(release, name=name)
        return len(queries)

    asked("the first, which takes over from none")
    few = asked("few")
    for number in range(3):
        kind = Device.objects.get(device_id=f"{(ROOMY, SNUG, CRAMPED)[number]}-000").profile
        Device.objects.bulk_create(
            Device(device_id=f"more-{number}-{n}", status=DeviceStatus.ACCEPTED, profile=kind)
            for n in range(20)
        )
    assert asked("many") == few
