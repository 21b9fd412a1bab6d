"""A rollout goes wave by wave, and stops itself."""

from __future__ import annotations

import pytest

from orchestrator.models import Deployment, DeploymentEvent, Rollout
from orchestrator.protocol.messages import ResultCode
from orchestrator.services import rollouts
from orchestrator.services.rollouts import RolloutError
from registry.models import Device, GraphChange, RegisteredModel
from tests.orchestrator.rollout_world import (
    CRAMPED,
    NOW,
    ROOMY,
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


def _settle(now=NOW):
    while rollouts.tick(now):
        pass


def test_a_rollout_from_start_to_champion():
    make_devices(8, ROOMY)
    make_devices(1, SNUG)
    make_devices(1, CRAMPED)
    rollout = started(wave_percentages=(20, 60, 100))
    assert wave_statuses(rollout) == ["running", "waiting", "waiting"]
    trial = sign_pending()
    assert len(trial) == 2  # 20 % of the nine that it updates

    install(trial)
    run_to_end(rollout)
    assert rollout.status == "completed"
    assert wave_statuses(rollout) == ["succeeded"] * 3
    found = statuses(rollout)
    assert found.pop("cramped-000") == "not_applicable"
    assert set(found.values()) == {"confirmed"}
    model = RegisteredModel.objects.get(name="digits")
    assert model.champion == rollout.release
    assert GraphChange.objects.filter(kind="model", subject="digits").exists()
    installed = Device.objects.get(device_id="snug-000").installed
    assert installed is not None and installed.name == "small"


def test_every_change_leaves_an_event():
    make_devices(1)
    rollout = started()
    [deployment] = sign_pending()
    for status in (Status.DOWNLOADING, Status.INSTALLING, Status.VERIFYING):
        report(deployment, status)
    install([deployment])
    _settle()
    told = DeploymentEvent.objects.filter(deployment=deployment).values_list("status", flat=True)
    assert list(told) == [
        "notified",
        "downloading",
        "installing",
        "verifying",
        "installed",
        "confirmed",
    ]
    rollout.refresh_from_db()
    assert rollout.status == "completed"


def test_a_bad_release_stops_itself_in_its_first_wave():
    make_devices(10)
    rollout = started(wave_percentages=(30, 100), error_threshold=0.2)
    signed = sign_pending()
    fail(signed[:1])
    _settle()
    rollout.refresh_from_db()
    assert rollout.status == "stopped"
    assert rollout.detail == "Wave 1: 1 of 3 devices failed, more than the 20% allowed."
    assert wave_statuses(rollout) == ["failed", "cancelled"]
    assert sorted(statuses(rollout).values()) == ["cancelled"] * 9 + ["failed"]
    assert not sign_pending()
    assert RegisteredModel.objects.get(name="digits").champion is None


def test_an_error_threshold_that_is_met_exactly_holds():
    make_devices(10)
    rollout = started(wave_percentages=(50, 100), error_threshold=0.2, success_threshold=0.8)
    signed = sign_pending()
    fail(signed[:1])
    install(signed[1:])
    run_to_end(rollout)
    assert rollout.status == "completed"
    assert sorted(statuses(rollout).values()) == ["confirmed"] * 9 + ["failed"]


def test_the_next_wave_does_not_wait_for_those_offline():
    make_devices(10)
    rollout = started(wave_percentages=(50, 100), success_threshold=0.8)
    signed = sign_pending()
    install(signed[1:])
    _settle()
    assert wave_statuses(rollout) == ["succeeded", "running"]
    install(sign_pending())
    _settle()
    rollout.refresh_from_db()
    assert rollout.status == "running"  # one device may still come

    install(signed[:1])
    _settle()
    rollout.refresh_from_db()
    assert rollout.status == "completed"


def test_late_failures_in_a_wave_that_had_succeeded_still_stop_the_rollout():
    make_devices(10)
    rollout = started(wave_percentages=(50, 100), success_threshold=0.6, error_threshold=0.2)
    signed = sign_pending()
    install(signed[:3])
    _settle()
    assert wave_statuses(rollout) == ["succeeded", "running"]
    fail(signed[3:])
    _settle()
    rollout.refresh_from_db()
    assert rollout.status == "stopped"


def test_offline_devices_expire_and_are_no_errors():
    make_devices(4)
    rollout = started(success_threshold=0.5, error_threshold=0.0, expires_at=seconds(60))
    signed = sign_pending()
    install(signed[:2])
    _settle()
    assert rollouts.tick(seconds(59)) == 0
    _settle(seconds(60))
    rollout.refresh_from_db()
    assert rollout.status == "completed"
    assert sorted(statuses(rollout).values()) == ["confirmed"] * 2 + ["expired"] * 2


def test_a_rollout_that_nobody_answers_ends():
    make_devices(4)
    rollout = started(expires_at=seconds(60))
    sign_pending()
    _settle(seconds(61))
    rollout.refresh_from_db()
    assert rollout.status == "stopped"
    assert set(statuses(rollout).values()) == {"expired"}


def test_an_empty_wave_succeeds_and_the_next_one_starts():
    make_devices(1)
    rollout = started(wave_percentages=(10, 20, 100))
    assert len(sign_pending()) == 1
    assert wave_statuses(rollout) == ["running", "waiting", "waiting"]
    run_to_end(rollout)
    install(Deployment.objects.filter(is_open=True))
    run_to_end(rollout)
    assert rollout.status == "completed"
    assert wave_statuses(rollout) == ["succeeded"] * 3


def test_a_device_that_got_the_digest_meanwhile_is_left_in_peace():
    devices = make_devices(4)
    release = make_release()
    rollout = started(release, wave_percentages=(50, 100))
    waiting = Deployment.objects.get(
        wave__number=2, device__device_id=statuses_of_wave(rollout, 2)[0]
    )
    Device.objects.filter(pk=waiting.device_id).update(installed=waiting.variant)
    run_to_end(rollout)
    waiting.refresh_from_db()
    assert waiting.status == "already_installed"
    assert waiting.sequence is None
    assert len(devices) == 4 and rollout.status == "completed"


def statuses_of_wave(rollout: Rollout, number: int) -> list[str]:
    rows = Deployment.objects.filter(wave__rollout=rollout, wave__number=number)
    return sorted(rows.values_list("device__device_id", flat=True))


def test_a_release_that_is_everywhere_already_completes_and_is_champion():
    make_devices(2)
    release = make_release()
    run_to_end(started(release))
    RegisteredModel.objects.update(champion=None)
    again = started(release, name="again")
    run_to_end(again)
    assert again.status == "completed"
    assert set(statuses(again).values()) == {"already_installed"}
    assert RegisteredModel.objects.get().champion == release


def test_a_scheduled_start_waits_for_its_time():
    make_devices(1)
    rollout = make_rollout(start_at=seconds(30))
    rollouts.start_rollout(rollout, NOW)
    assert rollout.status == "scheduled"
    assert rollouts.tick(seconds(29)) == 0
    assert rollouts.tick(seconds(30)) > 0
    rollout.refresh_from_db()
    assert rollout.status == "running"
    assert len(sign_pending(seconds(30))) == 1


def test_a_scheduled_start_that_fits_nobody_any_more_stops_with_the_reason():
    make_devices(1)
    rollout = make_rollout(start_at=seconds(30))
    rollouts.start_rollout(rollout, NOW)
    Device.objects.update(status="revoked")
    rollouts.tick(seconds(30))
    rollout.refresh_from_db()
    assert rollout.status == "stopped"
    assert rollout.detail == "There is no accepted device."


def test_a_rollout_starts_once():
    make_devices(1)
    rollout = started()
    with pytest.raises(RolloutError, match="only a draft can be started"):
        rollouts.start_rollout(rollout, NOW)
    assert Deployment.objects.count() == 1


def test_a_draft_that_lay_too_long_does_not_start():
    make_devices(1)
    rollout = make_rollout(expires_at=seconds(60))
    with pytest.raises(RolloutError, match="has expired"):
        rollouts.start_rollout(rollout, seconds(60))


def test_an_old_campaign_that_ends_late_does_not_take_the_title_back():
    make_devices(2)
    old = started(make_release(), target={"devices": ["roomy-000"]})
    young = started(make_release(), name="young", target={"devices": ["roomy-001"]})
    by_device = {d.device.device_id: d for d in sign_pending()}
    for name, rollout in (("roomy-001", young), ("roomy-000", old)):
        install([by_device[name]])
        _settle()
        rollout.refresh_from_db()
        assert rollout.status == "completed"
    assert RegisteredModel.objects.get().champion == young.release


def test_a_tick_with_nothing_to_do_changes_nothing_and_asks_little(django_assert_max_num_queries):
    make_devices(50)
    started()
    sign_pending()
    _settle()
    with django_assert_max_num_queries(12):
        assert rollouts.tick(seconds(1)) == 0


def test_a_device_that_went_back_during_the_soak_is_rolled_back():
    make_devices(2)
    rollout = started(soak_s=60, success_threshold=0.5, error_threshold=0.5)
    first, second = sign_pending()
    install([first, second])
    _settle(seconds(59))
    assert set(statuses(rollout).values()) == {"installed"}
    report(first, Status.ROLLED_BACK, ResultCode.REVERTED)
    state(second)
    _settle(seconds(60))
    assert sorted(statuses(rollout).values()) == ["confirmed", "rolled_back"]
