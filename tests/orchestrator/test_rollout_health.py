"""Soaks that devices fail, and the way back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.models import Deployment, DeviceShadow, Telemetry
from orchestrator.policy.health import HealthLimits, Vitals, complaints
from orchestrator.services import rollouts
from registry.models import Device
from tests.orchestrator.rollout_world import (
    NOW,
    fail,
    install,
    make_devices,
    make_release,
    run_to_end,
    seconds,
    sign_pending,
    started,
    statuses,
)

LATER = 1000  # seconds: when the second release comes


def _measured(device: Device, at: float, accuracy: float | None = None, **columns) -> None:
    number = Telemetry.objects.count() + 1
    Telemetry.objects.create(
        device=device,
        variant=device.installed,
        boot=columns.pop("boot", 1),
        sequence=number,
        at=seconds(at),
        received_at=seconds(at),
        labelled=columns.pop("labelled", 10),
        accuracy=accuracy,
        **columns,
    )


@pytest.fixture
def second_release(db):
    """Two devices run release 1; release 2 soaks on both under health limits."""
    make_devices(2)
    run_to_end(started(make_release()))
    for device in Device.objects.all():
        _measured(device, 10, 0.9, latency_ms=4.0)
    rollout = started(
        make_release(),
        name="second",
        soak_s=60,
        success_threshold=0.5,
        error_threshold=0.5,
        health={"max_accuracy_drop": 0.1, "max_latency_ratio": 2, "max_restarts": 1},
    )
    install(sign_pending(seconds(LATER)), seconds(LATER))
    return rollout


def _end_soak(rollout) -> dict[str, str]:
    while rollouts.tick(seconds(LATER + 60)):
        pass
    rollout.refresh_from_db()
    return statuses(rollout)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"accuracy": 0.5}, "accuracy fell from 0.900 to 0.500"),
        ({"accuracy": 0.9, "latency_ms": 9.0}, "latency rose from 4 ms to 9 ms"),
    ],
)
def test_an_unhealthy_device_is_rolled_back_and_sent_back(second_release, columns, words):
    ill, well = Device.objects.order_by("device_id")
    _measured(ill, LATER + 10, **columns)
    _measured(well, LATER + 10, 0.88, latency_ms=4.1)
    assert _end_soak(second_release) == {"roomy-000": "rolled_back", "roomy-001": "confirmed"}
    ended = Deployment.objects.get(wave__rollout=second_release, device=ill, purpose="update")
    assert ended.result_code == "unhealthy"
    assert words in ended.detail

    [back] = sign_pending(seconds(LATER + 60))
    assert (back.purpose, back.device, back.variant) == ("revert", ill, ended.previous)
    assert back.sequence > ended.sequence
    install([back], seconds(LATER + 61))
    rollouts.tick(seconds(LATER + 61))
    back.refresh_from_db()
    ill.refresh_from_db()
    assert back.status == "confirmed"
    assert ill.installed == ended.previous


def test_restarts_count_against_a_device(second_release):
    ill = Device.objects.get(device_id="roomy-000")
    for boot in (1, 2, 3):
        _measured(ill, LATER + 10 * boot, 0.9, boot=boot)
    assert _end_soak(second_release)["roomy-000"] == "rolled_back"


def test_what_was_measured_before_counts_for_the_old_model_only(second_release):
    device = Device.objects.get(device_id="roomy-000")
    Telemetry.objects.create(
        device=device,
        variant=Deployment.objects.filter(device=device).earliest("created_at").variant,
        boot=1,
        sequence=99,
        at=NOW,
        received_at=seconds(LATER + 5),
        labelled=10,
        accuracy=0.1,
    )
    assert set(_end_soak(second_release).values()) == {"confirmed"}


def test_a_silent_device_is_confirmed(second_release):
    assert set(_end_soak(second_release).values()) == {"confirmed"}


def test_a_state_that_contradicts_the_installation_ends_the_soak(second_release):
    device = Device.objects.get(device_id="roomy-000")
    deployment = Deployment.objects.get(wave__rollout=second_release, device=device)
    DeviceShadow.objects.create(device=device, digest="ab" * 32, sequence=deployment.sequence)
    assert _end_soak(second_release)["roomy-000"] == "rolled_back"


def test_a_state_from_before_the_installation_does_not(second_release):
    device = Device.objects.get(device_id="roomy-000")
    deployment = Deployment.objects.get(wave__rollout=second_release, device=device)
    DeviceShadow.objects.create(device=device, digest="ab" * 32, sequence=deployment.sequence - 1)
    assert _end_soak(second_release)["roomy-000"] == "confirmed"


@pytest.mark.django_db
def test_a_stopped_rollout_sends_its_devices_back_if_it_says_so():
    make_devices(4)
    first = make_release()
    run_to_end(started(first))
    rollout = started(
        make_release(),
        name="second",
        wave_percentages=(50, 100),
        soak_s=60,
        error_threshold=0.1,
        revert_on_failure=True,
    )
    good, bad = sign_pending()
    install([good])
    fail([bad])
    while rollouts.tick(NOW):
        pass
    rollout.refresh_from_db()
    assert rollout.status == "stopped"
    good.refresh_from_db()
    assert good.status == "superseded"
    [back] = sign_pending()
    assert (back.purpose, back.device) == ("revert", good.device)
    install([back])
    while rollouts.tick(NOW + timedelta(seconds=1)):
        pass
    back.refresh_from_db()
    assert back.status == "confirmed"
    assert {d.installed.release for d in Device.objects.all()} == {first}
    assert rollouts.tick(NOW + timedelta(seconds=2)) == 0
    assert Deployment.objects.filter(purpose="revert").count() == 1


@pytest.mark.django_db
def test_a_retry_turns_a_device_round_on_its_way_back():
    make_devices(2)
    run_to_end(started(make_release()))
    rollout = started(
        make_release(),
        name="second",
        soak_s=60,
        error_threshold=0.1,
        revert_on_failure=True,
    )
    good, bad = sign_pending()
    install([good])
    fail([bad])
    while rollouts.tick(NOW):
        pass
    [back] = sign_pending()
    rollouts.retry_failed(rollout, NOW)
    rollouts.tick(NOW)
    again = sign_pending()
    assert [d.device for d in again] == [bad.device]
    back.refresh_from_db()
    assert back.status == "notified"


@pytest.mark.parametrize(
    ("limits", "before", "after", "count"),
    [
        (HealthLimits(), Vitals(0.9, 4, 0), Vitals(0.1, 99, 99), 0),
        (HealthLimits(max_accuracy_drop=0.25), Vitals(0.75), Vitals(0.5), 0),
        (HealthLimits(max_accuracy_drop=0.25), Vitals(0.75), Vitals(0.49), 1),
        (HealthLimits(max_accuracy_drop=0.1), Vitals(None), Vitals(0.0), 0),
        (HealthLimits(max_latency_ratio=2), Vitals(None, 4.0), Vitals(None, 8.0), 0),
        (HealthLimits(max_latency_ratio=2), Vitals(None, 4.0), Vitals(None, 8.1), 1),
        (HealthLimits(max_latency_ratio=2), Vitals(None, None), Vitals(None, 8.1), 0),
        (HealthLimits(max_restarts=0), Vitals(), Vitals(restarts=0), 0),
        (HealthLimits(0.1, 1.0, 0), Vitals(0.9, 1.0), Vitals(0.1, 2.0, 1), 3),
    ],
)
def test_limits_hold_to_their_value_and_absence_accuses_nobody(limits, before, after, count):
    assert len(complaints(limits, before, after)) == count
