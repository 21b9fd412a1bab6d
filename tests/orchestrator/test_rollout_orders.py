"""Pause, resume, abort, retry, and what a newer rollout does to an older one."""

from __future__ import annotations

import pytest

from orchestrator.models import Deployment, Rollout
from orchestrator.protocol.messages import ResultCode
from orchestrator.services import rollout_ticks, rollouts
from orchestrator.services.rollouts import RolloutError
from registry.models import Device
from tests.orchestrator.rollout_world import (
    NOW,
    SNUG,
    Status,
    fail,
    install,
    make_devices,
    make_release,
    make_rollout,
    report,
    run_to_end,
    seconds,
    sign_pending,
    started,
    state,
    statuses,
    wave_statuses,
)

pytestmark = pytest.mark.django_db


def test_a_paused_rollout_sends_nothing_more_and_takes_what_comes():
    make_devices(4)
    rollout = started(wave_percentages=(50, 100))
    signed = sign_pending()
    rollouts.pause(rollout)
    install(signed)
    rollouts.tick(NOW)
    assert sorted(statuses(rollout).values()) == ["confirmed"] * 2 + ["pending"] * 2
    assert wave_statuses(rollout) == ["running", "waiting"]
    assert not sign_pending()

    rollouts.resume(rollout)
    run_to_end(rollout)
    assert rollout.status == "completed"


def test_a_pause_before_signing_holds_the_manifests_back():
    make_devices(2)
    rollout = started()
    rollouts.pause(rollout)
    assert not sign_pending()
    rollouts.resume(rollout)
    assert len(sign_pending()) == 2


def test_an_aborted_rollout_cancels_what_is_not_installed():
    make_devices(4)
    rollout = started(wave_percentages=(50, 100), soak_s=60)
    first, second = sign_pending()
    install([first])
    report(second, Status.DOWNLOADING)
    rollouts.abort(rollout, NOW)
    assert rollout.status == "aborted"
    assert wave_statuses(rollout) == ["cancelled", "cancelled"]
    assert sorted(statuses(rollout).values()) == ["cancelled"] * 3 + ["installed"]
    assert not sign_pending()
    while rollouts.tick(seconds(60)):
        pass
    assert sorted(statuses(rollout).values()) == ["cancelled"] * 3 + ["confirmed"]


def test_an_aborted_device_that_finishes_late_keeps_its_outcome_and_is_known():
    make_devices(1)
    rollout = started()
    [deployment] = sign_pending()
    rollouts.abort(rollout, NOW)
    assert not report(deployment, Status.INSTALLED)
    assert not state(deployment)
    deployment.refresh_from_db()
    assert deployment.status == "cancelled"
    assert Device.objects.get().installed == deployment.variant


def test_a_draft_can_be_aborted():
    make_devices(1)
    rollout = make_rollout()
    assert rollouts.abort(rollout, NOW).status == "aborted"


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (rollouts.pause, "only what is running can become paused"),
        (rollouts.resume, "only what is paused can become running"),
        (rollouts.retry_failed, "it has nothing to retry"),
    ],
)
def test_an_order_that_comes_at_the_wrong_time_is_refused(order, words):
    make_devices(1)
    with pytest.raises(RolloutError, match=words):
        order(make_rollout())


def test_what_has_ended_cannot_be_aborted():
    make_devices(1)
    rollout = started()
    run_to_end(rollout)
    with pytest.raises(RolloutError, match="completed"):
        rollouts.abort(rollout, NOW)


def test_a_retry_is_a_new_attempt_and_the_rollout_goes_on():
    make_devices(4)
    rollout = started(wave_percentages=(50, 100))
    fail(sign_pending())
    rollouts.tick(NOW)
    rollout.refresh_from_db()
    assert rollout.status == "stopped"

    rollouts.retry_failed(rollout, NOW)
    assert rollout.status == "running"
    assert wave_statuses(rollout) == ["waiting", "waiting"]
    run_to_end(rollout)
    assert rollout.status == "completed"
    assert set(statuses(rollout).values()) == {"confirmed"}
    attempts = Deployment.objects.order_by("attempt", "status").values_list("attempt", "status")
    assert list(attempts) == [(1, "cancelled")] * 2 + [(1, "failed")] * 2 + [(2, "confirmed")] * 4


def test_a_retry_while_it_runs_goes_out_at_once():
    make_devices(4)
    rollout = started(success_threshold=0.5, error_threshold=0.5)
    first, *_ = sign_pending()
    fail([first])
    rollouts.retry_failed(rollout, NOW)
    [again] = sign_pending()
    assert (again.device, again.attempt) == (first.device, 2)
    assert again.sequence > first.sequence


def test_a_retry_after_the_expiry_gets_a_new_one(settings):
    make_devices(1)
    rollout = started(expires_at=seconds(60))
    sign_pending()
    while rollouts.tick(seconds(60)):
        pass
    rollouts.retry_failed(rollout, seconds(100))
    rollouts.tick(seconds(100))
    [again] = sign_pending(seconds(100))
    assert again.expires_at == seconds(100 + settings.DEPLOYMENT_EXPIRY_S)


def test_nothing_failed_nothing_to_retry():
    make_devices(1)
    rollout = started()
    run_to_end(rollout)
    with pytest.raises(RolloutError, match="no failed deployment"):
        rollouts.retry_failed(rollout, NOW)


def test_a_late_word_about_the_first_attempt_leaves_the_second_alone():
    make_devices(1)
    rollout = started()
    [first] = sign_pending()
    fail([first])
    rollouts.tick(NOW)
    rollouts.retry_failed(rollout, NOW)
    rollouts.tick(NOW)
    [second] = sign_pending()
    assert not report(first, Status.FAILED, ResultCode.SELF_TEST_FAILED)
    assert not state(first)
    second.refresh_from_db()
    assert second.status == "notified"


def test_a_newer_rollout_takes_over_open_deployments():
    make_devices(3)
    old = started(make_release(), wave_percentages=(30, 100))
    [going] = sign_pending()
    new = started(make_release(), name="new", target={"devices": ["roomy-000", "roomy-001"]})
    found = statuses(old)
    assert found["roomy-000"] == found["roomy-001"] == "superseded"
    assert found["roomy-002"] in {"pending", "notified"}
    run_to_end(new)
    assert new.status == "completed"
    report(going, Status.INSTALLED)
    run_to_end(old)
    assert old.status == "completed"
    newest = {d.device_id: d.installed.release.number for d in Device.objects.all() if d.installed}
    assert newest == {"roomy-000": 2, "roomy-001": 2, "roomy-002": 1}


def test_a_newer_rollout_that_has_nothing_for_a_device_leaves_it_alone():
    make_devices(1)
    make_devices(1, SNUG)
    old = started(make_release())
    large = make_release(variants={"large": (64, 60, 0.99)})
    started(large, name="new")
    assert statuses(old) == {"roomy-000": "superseded", "snug-000": "pending"}


def test_an_older_rollout_does_not_retry_what_a_newer_one_has():
    make_devices(2)
    old = started(make_release())
    fail(sign_pending())
    rollouts.tick(NOW)
    started(make_release(), name="new", target={"devices": ["roomy-000"]})
    rollouts.retry_failed(old, NOW)
    again = Deployment.objects.filter(wave__rollout=old, attempt=2)
    assert [d.device.device_id for d in again] == ["roomy-001"]
    [left] = rollouts.left_alone(old)
    assert (left.devices, left.example) == (1, "roomy-000")
    assert left.why == f"rollout {Rollout.objects.get(name='new').pk}, new, has it since"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_retry_in_the_midst_of_a_stop_is_not_lost(monkeypatch, moment):
    """It comes while the tick settles what it has just stopped; the tick leaves its hands off."""
    make_devices(1)
    rollout = started(make_release())
    fail(sign_pending())
    move_all, retried = rollout_ticks.move_all, []

    def interrupted(*arguments, **words) -> int:
        def retry() -> None:
            if Rollout.objects.get(pk=rollout.pk).status == "stopped" and not retried:
                retried.append(rollouts.retry_failed(rollout, NOW))

        if moment == "before":
            retry()
        moved = move_all(*arguments, **words)
        retry()
        return moved

    monkeypatch.setattr(rollout_ticks, "move_all", interrupted)
    rollouts.tick(NOW)
    assert retried
    rollouts.tick(seconds(1))
    assert wave_statuses(rollout) == ["running"]
    assert [each.attempt for each in sign_pending(seconds(2))] == [2]
