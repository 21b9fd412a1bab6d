"""A rollout that has ended is undone: its devices go back, and the title of champion with them."""

from __future__ import annotations

import pytest

from orchestrator.models import Deployment, Rollout, RolloutStatus
from orchestrator.services import rollouts
from orchestrator.services.rollouts import RolloutError
from registry.models import Device, RegisteredModel, Release
from tests.orchestrator.rollout_world import (
    NOW,
    Status,
    fail,
    install,
    make_devices,
    make_release,
    make_rollout,
    run_to_end,
    seconds,
    sign_pending,
    started,
)

pytestmark = pytest.mark.django_db


def champion() -> Release | None:
    return RegisteredModel.objects.get().champion


def running() -> set[Release]:
    return {device.installed.release for device in Device.objects.select_related("installed")}


def go_back(rollout: Rollout) -> Rollout:
    rollouts.roll_back(rollout, seconds(10))
    return run_to_end(rollout, seconds(20))


def test_devices_and_title_go_back():
    make_devices(3)
    first, second = make_release(), make_release(seed=2)
    run_to_end(started(first))
    newer = run_to_end(started(second, name="newer"))
    assert (champion(), running()) == (second, {second})
    go_back(newer)
    assert (champion(), running()) == (first, {first})
    assert newer.status == RolloutStatus.ROLLED_BACK
    with pytest.raises(RolloutError, match="is rolled_back"):
        rollouts.roll_back(newer)


def test_without_a_champion_before_there_is_none_again():
    make_devices(1)
    only = run_to_end(started(make_release()))
    assert champion() is not None
    go_back(only)
    assert champion() is None


def test_a_title_that_another_has_by_now_stays_there():
    make_devices(2)
    first, second, third = make_release(), make_release(seed=2), make_release(seed=3)
    run_to_end(started(first))
    older = run_to_end(started(second, name="older"))
    run_to_end(started(third, name="newest"))
    go_back(older)
    assert (champion(), running()) == (third, {third})


def test_only_devices_that_still_run_it_go_back():
    devices = make_devices(2)
    first, second = make_release(), make_release(seed=2)
    run_to_end(started(first))
    newer = run_to_end(started(second, name="newer"))
    other = make_rollout(first, target={"devices": [devices[0].device_id]}, name="one of them")
    rollouts.start_rollout(other, NOW)
    run_to_end(other)
    rollouts.roll_back(newer, seconds(10))
    assert [each.device for each in sign_pending(seconds(11))] == [devices[1]]


def test_what_was_stopped_halfway_goes_back_too():
    make_devices(4)
    run_to_end(started(make_release()))
    newer = started(make_release(seed=2), wave_percentages=(50, 100), name="newer")
    first, second = sign_pending(NOW)
    install([first])
    fail([second])
    rollouts.tick(NOW)
    newer.refresh_from_db()
    assert newer.status == RolloutStatus.STOPPED
    rollouts.roll_back(newer, seconds(10))
    back = sign_pending(seconds(11))
    assert [(each.device, each.purpose) for each in back] == [(first.device, "revert")]


def test_a_way_back_that_was_broken_off_is_gone_on_with(monkeypatch):
    """Killed between the decision and the orders: the next tick writes them."""
    make_devices(2)
    run_to_end(started(make_release()))
    newer = run_to_end(started(make_release(seed=2), name="newer"))
    monkeypatch.setattr("orchestrator.services.rollouts.settle_ended", lambda *_: 0)
    rollouts.roll_back(newer, seconds(10))
    reverts = Deployment.objects.filter(wave__rollout=newer, purpose="revert")
    assert not reverts.exists()
    rollouts.tick(seconds(11))
    assert reverts.count() == 2
    rollouts.tick(seconds(12))
    assert reverts.count() == 2


def test_what_still_runs_is_not_rolled_back():
    make_devices(1)
    rollout = started(make_release())
    with pytest.raises(RolloutError, match="is running; only what is aborted or completed or stop"):
        rollouts.roll_back(rollout, NOW)
    rollouts.abort(rollout, NOW)
    rollouts.roll_back(rollout, NOW)
    assert not Deployment.objects.filter(status=Status.PENDING).exists()


def test_who_stays_is_told_with_why(admin_client):
    devices = make_devices(3)
    old, other = make_release(seed=2), make_release("other", seed=3)
    run_to_end(started(old, target={"devices": ["roomy-000", "roomy-001"]}))
    newer = run_to_end(started(make_release(seed=4), name="newer"))
    Device.objects.filter(pk=devices[1].pk).update(installed=other.variants.get(name="large"))
    answer = admin_client.post(f"/api/v1/rollouts/{newer.pk}/roll-back/")
    back = Deployment.objects.filter(wave__rollout=newer, purpose="revert")
    assert [row.device.device_id for row in back] == ["roomy-000"]
    assert {(left["example"], left["why"]) for left in answer.json()["left_alone"]} == {
        ("roomy-001", "it runs something else by now"),
        ("roomy-002", "it ran nothing before"),
    }


def test_the_admin_tells_it_too(admin_client):
    make_devices(1)
    rollout = run_to_end(started(make_release()))
    page = f"/admin/orchestrator/rollout/{rollout.pk}/roll_back/"
    told = admin_client.post(page, follow=True).content.decode()
    assert "1 device is left alone, e.g. roomy-000: it ran nothing before." in told


def test_over_rest(admin_client):
    make_devices(1)
    run_to_end(started(make_release()))
    newer = run_to_end(started(make_release(seed=2), name="newer"))
    answer = admin_client.post(f"/api/v1/rollouts/{newer.pk}/roll-back/")
    assert answer.json()["status"] == "rolled_back"
    assert admin_client.post(f"/api/v1/rollouts/{newer.pk}/roll-back/").status_code == 409
