"""Approval, hours, rates, sizes of waves and newcomers: what holds a rollout back, or widens it."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from orchestrator.models import Deployment, Rollout, RolloutStatus
from orchestrator.services import rollouts
from orchestrator.services.expected_time import expected_time
from orchestrator.services.rollouts import RolloutError
from registry.models import Device, DeviceStatus, Fleet, RegisteredModel
from tests.orchestrator.rollout_world import (
    CRAMPED,
    NOW,
    ROOMY,
    Status,
    fail,
    install,
    make_devices,
    make_release,
    make_rollout,
    profile,
    run_to_end,
    seconds,
    sign_pending,
    started,
)

pytestmark = pytest.mark.django_db
NIGHT = {"from": "22:00", "to": "05:00"}
IN_THE_NIGHT = NOW.replace(hour=22)


@pytest.fixture
def people(django_user_model):
    """Who makes rollouts and who approves them; both hold all permissions on rollouts."""
    permissions = Permission.objects.filter(content_type__app_label="orchestrator")
    made = [django_user_model.objects.create_user(name) for name in ("maker", "checker")]
    for person in made:
        person.user_permissions.set(permissions)
    return made


def sent(rollout: Rollout) -> int:
    return Deployment.objects.filter(wave__rollout=rollout, notified_at__isnull=False).count()


def test_a_second_person_approves(people):
    maker, checker = people
    make_devices(1)
    rollout = make_rollout(make_release(), needs_approval=True, user=maker)
    with pytest.raises(RolloutError, match="waits for approval by a second person"):
        rollouts.start_rollout(rollout, NOW)
    with pytest.raises(RolloutError, match="made by maker; somebody else"):
        rollouts.approve(rollout, maker, NOW)
    rollouts.approve(rollout, checker, NOW)
    with pytest.raises(RolloutError, match="has been approved by checker"):
        rollouts.approve(rollout, checker, NOW)
    assert rollouts.start_rollout(rollout, NOW).status == RolloutStatus.RUNNING


def test_an_installation_may_ask_it_of_all(settings, people):
    settings.ROLLOUTS_NEED_APPROVAL = True
    make_devices(1)
    assert make_rollout(make_release(), user=people[0]).needs_approval


def test_what_needs_none_cannot_be_approved(people):
    make_devices(1)
    rollout = make_rollout(make_release())
    with pytest.raises(RolloutError, match="needs no approval"):
        rollouts.approve(rollout, people[1], NOW)


def test_approval_over_rest_and_in_the_admin(people, admin_client):
    maker, checker = people
    make_devices(1)
    rollout = make_rollout(make_release(), needs_approval=True, user=maker)
    path = f"/api/v1/rollouts/{rollout.pk}"
    client = Client()
    client.force_login(maker)
    refused = client.post(f"{path}/approve/")
    assert (refused.status_code, "somebody else" in refused.json()["detail"]) == (409, True)
    maker.user_permissions.remove(Permission.objects.get(codename="approve_rollout"))
    assert client.post(f"{path}/approve/").status_code == 403
    page = admin_client.get(f"/admin/orchestrator/rollout/{rollout.pk}/change/").content.decode()
    assert "Approve" in page and ">Start<" not in page.replace(" ", "").replace("\n", "")
    client.force_login(checker)
    assert client.post(f"{path}/approve/").json()["approved_by"] == "checker"


def test_orders_go_out_in_its_hours_only():
    make_devices(2)
    rollout = started(make_release(), window=NIGHT)
    assert not sign_pending(NOW)
    assert len(sign_pending(IN_THE_NIGHT)) == 2
    assert sent(rollout) == 2


def test_the_way_back_knows_no_hours():
    devices = make_devices(4)
    release = make_release()
    run_to_end(started(release))
    newer = started(
        make_release(seed=2), window=NIGHT, wave_percentages=(50, 100), revert_on_failure=True
    )
    first, second = sign_pending(IN_THE_NIGHT)
    install([first], IN_THE_NIGHT)
    fail([second], IN_THE_NIGHT)
    rollouts.tick(IN_THE_NIGHT)
    newer.refresh_from_db()
    assert newer.status == RolloutStatus.STOPPED
    assert [back.device for back in sign_pending(NOW.replace(day=3))] == [first.device]
    assert first.device in devices


def test_no_minute_sees_more_orders_than_its_rate():
    make_devices(5)
    started(make_release(), max_per_minute=2)
    assert len(sign_pending(NOW)) == 2
    assert not sign_pending(seconds(59))
    assert len(sign_pending(seconds(61))) == 2
    assert len(sign_pending(seconds(122))) == 1


def test_one_with_a_rate_does_not_hold_up_another():
    make_devices(3)
    Fleet.objects.create(slug="slow", name="slow").devices.set(Device.objects.all())
    quick = make_devices(2, CRAMPED)
    Device.objects.filter(pk__in=[device.pk for device in quick]).update(profile=profile(ROOMY))
    Fleet.objects.create(slug="quick", name="quick").devices.set(quick)
    release = make_release()
    started(release, target={"fleet": "slow"}, max_per_minute=1)
    started(release, target={"fleet": "quick"}, name="quick")
    assert len(sign_pending(NOW)) == 1 + 2


def test_waves_of_so_many_devices():
    make_devices(7)
    rollout = started(make_release(), wave_sizes=(1, 2))
    sizes = [wave.deployments.count() for wave in rollout.waves.order_by("number")]
    assert sizes == [1, 2, 4]
    assert run_to_end(rollout).status == RolloutStatus.COMPLETED


def test_a_wave_for_which_nobody_is_left_succeeds():
    make_devices(2)
    rollout = started(make_release(), wave_sizes=(1, 5))
    assert run_to_end(rollout).status == RolloutStatus.COMPLETED


class TestNewcomers:
    def test_a_device_that_comes_later_joins(self):
        make_devices(1)
        rollout = started(make_release(), is_dynamic=True)
        late = Device.objects.create(
            device_id="late", status=DeviceStatus.ACCEPTED, profile=profile(ROOMY)
        )
        rollouts.tick(seconds(30))
        assert not late.deployments.exists(), "it looks once an interval"
        rollouts.tick(seconds(61))
        assert {each.device.device_id for each in sign_pending(seconds(62))} == {
            "roomy-000",
            "late",
        }
        rollout.refresh_from_db()
        assert rollout.status == RolloutStatus.RUNNING

    def test_it_goes_on_until_it_expires_but_is_trusted_before(self):
        make_devices(1)
        rollout = started(make_release(), is_dynamic=True, expires_at=seconds(1000))
        install(sign_pending(NOW))
        rollouts.tick(NOW)
        rollout.refresh_from_db()
        assert rollout.status == RolloutStatus.RUNNING
        assert RegisteredModel.objects.get().champion == rollout.release
        rollouts.tick(seconds(1001))
        rollout.refresh_from_db()
        assert rollout.status == RolloutStatus.COMPLETED

    def test_one_that_begins_to_fit_joins_with_a_new_attempt(self):
        make_devices(1)
        cramped = make_devices(1, CRAMPED)[0]
        rollout = started(make_release(), is_dynamic=True)
        assert cramped.deployments.get().status == Status.NOT_APPLICABLE
        Device.objects.filter(pk=cramped.pk).update(profile=profile(ROOMY))
        rollouts.tick(seconds(61))
        newest = cramped.deployments.get(is_newest=True)
        assert (newest.attempt, newest.status) == (2, Status.PENDING)
        assert newest.wave.rollout == rollout

    def test_one_that_a_later_rollout_has_is_left_to_it(self):
        make_devices(1)
        release = make_release()
        started(release, is_dynamic=True)
        late = Device.objects.create(
            device_id="late", status=DeviceStatus.ACCEPTED, profile=profile(ROOMY)
        )
        newer = make_rollout(make_release(seed=2), target={"devices": ["late"]}, name="newer")
        rollouts.start_rollout(newer, seconds(10))
        rollouts.tick(seconds(61))
        assert late.deployments.get().wave.rollout == newer

    def test_an_older_rollout_of_a_newcomer_is_superseded(self):
        make_devices(1)
        Fleet.objects.create(slug="all", name="all").devices.set(Device.objects.all())
        late = Device.objects.create(
            device_id="late", status=DeviceStatus.ACCEPTED, profile=profile(ROOMY)
        )
        release = make_release()
        older = started(release, target={"devices": ["late"]})
        newer = make_rollout(
            make_release(seed=2), target={"fleet": "all"}, is_dynamic=True, name="newer"
        )
        rollouts.start_rollout(newer, seconds(10))
        rollouts.tick(seconds(10))
        Fleet.objects.get(slug="all").devices.add(late)
        rollouts.tick(seconds(71))
        assert late.deployments.get(wave__rollout=older).status == Status.SUPERSEDED
        assert late.deployments.get(wave__rollout=newer).status == Status.PENDING

    def test_a_target_that_cannot_be_worked_out_waits_for_the_next_time(self):
        make_devices(1)
        fleet = Fleet.objects.create(slug="gone", name="gone")
        fleet.devices.set(Device.objects.all())
        rollout = started(make_release(), target={"fleet": "gone"}, is_dynamic=True)
        fleet.delete()
        rollouts.tick(seconds(61))
        rollout.refresh_from_db()
        assert rollout.status == RolloutStatus.RUNNING

    def test_named_devices_cannot_be_joined(self):
        make_devices(1)
        with pytest.raises(RolloutError, match="Named devices stay the same"):
            make_rollout(make_release(), target={"devices": ["roomy-000"]}, is_dynamic=True)


def test_how_long_it_takes_is_known_from_what_came_through():
    make_devices(4)
    release = make_release()
    rollout = make_rollout(release, wave_percentages=(50, 100), soak_s=100)
    assert expected_time(rollout, rollouts.plan(rollout, NOW)) is None
    rollouts.start_rollout(rollout, NOW)
    rollouts.tick(NOW)
    install(sign_pending(NOW), seconds(10))
    newer = make_rollout(make_release(seed=2), wave_percentages=(50, 100), soak_s=100, name="b")
    planned = rollouts.plan(newer, NOW)
    expected = expected_time(newer, planned)
    assert expected is not None
    assert expected.updates == 2
    assert expected.seconds == pytest.approx(2 * (10 + 100), rel=0.2)
    newer.max_per_minute = 1
    slower = expected_time(newer, planned)
    assert slower is not None
    assert slower.seconds == pytest.approx(expected.seconds + 4 * 60)


def test_rest_takes_and_shows_them(admin_client):
    make_devices(3)
    release = make_release()
    order = {
        "name": "careful",
        "release": str(release.pk),
        "target": {"all": True},
        "wave_sizes": [1],
        "window": NIGHT | {"timezone": "Europe/Berlin", "days": ["sat", "sun"]},
        "max_per_minute": 10,
        "is_dynamic": True,
        "needs_approval": True,
    }
    made = admin_client.post(
        "/api/v1/rollouts/", json.dumps(order), content_type="application/json"
    )
    assert made.status_code == 201, made.content
    shown = made.json()
    for name in ("wave_sizes", "window", "max_per_minute", "is_dynamic", "needs_approval"):
        assert shown[name] == order[name]
    plan = admin_client.get(f"/api/v1/rollouts/{shown['id']}/plan/").json()
    assert (plan["waves"], plan["expected_s"], plan["expected_from"]) == ([1, 2], None, 0)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"wave_sizes": (0,)}, "whole numbers of devices from 1 up"),
        ({"wave_sizes": (True,)}, "whole numbers of devices from 1 up"),
        ({"wave_sizes": ("5",)}, "whole numbers of devices from 1 up"),
        ({"wave_sizes": (5,), "wave_percentages": (50, 100)}, "not by both"),
        ({"wave_sizes": (1,) * 100}, "101 waves are more than the 100 allowed"),
        ({"window": {"from": "x", "to": "y"}}, "times like 22:00"),
        ({"max_per_minute": 0}, "At most one or more"),
    ],
)
def test_conditions_that_do_not_hold_are_named(policy, words):
    make_devices(1)
    with pytest.raises(RolloutError, match=words):
        make_rollout(make_release(), **policy)
    assert not Rollout.objects.exists()
