"""A tick that is killed at any statement does no harm: the next one ends where it would have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from orchestrator.models import Deployment, DeploymentEvent, Rollout, Wave
from orchestrator.services import rollouts
from registry.models import Device, RegisteredModel
from tests.orchestrator.rollout_world import (
    NOW,
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
)

pytestmark = pytest.mark.django_db

NOW_S = 100
_WRITES = ("INSERT", "UPDATE", "DELETE")


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_at_write(number: int) -> Iterator[None]:
    """The process dies instead of its `number`th write."""
    seen = 0

    def wrapper(execute, sql, params, many, context):
        nonlocal seen
        if sql.startswith(_WRITES):
            seen += 1
            if seen == number:
                raise Killed
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield


def _tick_to_rest() -> None:
    for _ in range(20):
        if not rollouts.tick(seconds(NOW_S)):
            return
    raise AssertionError("ticks do not come to rest")


def _picture() -> tuple:
    """All that a tick may change, without what only says when it was written."""
    deployments = Deployment.objects.order_by("device", "attempt").values_list(
        "device__device_id", "attempt", "purpose", "status", "is_open", "variant", "detail"
    )
    events = DeploymentEvent.objects.order_by(
        "deployment__device", "deployment__attempt", "id"
    ).values_list("deployment__device__device_id", "deployment__attempt", "status")
    return (
        list(Rollout.objects.order_by("id").values_list("status", "detail")),
        list(Wave.objects.order_by("id").values_list("number", "status")),
        list(deployments),
        list(events),
        list(RegisteredModel.objects.values_list("champion__number")),
        list(Device.objects.order_by("id").values_list("installed")),
    )


def _wave_ends_and_the_next_starts() -> None:
    make_devices(6)
    started(wave_percentages=(50, 100), success_threshold=0.6, expires_at=seconds(NOW_S + 1))
    signed = sign_pending()
    install(signed[:2])
    report(signed[2], Status.FAILED)


def _rollout_completes() -> None:
    make_devices(3)
    started(success_threshold=0.6, expires_at=seconds(NOW_S))
    install(sign_pending()[:2])


def _rollout_stops_and_sends_back() -> None:
    make_devices(5)
    run_to_end(started(make_release()))
    started(
        make_release(),
        name="second",
        wave_percentages=(80, 100),
        soak_s=1000,
        error_threshold=0.1,
        revert_on_failure=True,
    )
    signed = sign_pending()
    install(signed[:2])
    fail(signed[2:3])


def _scheduled_rollout_starts() -> None:
    make_devices(3)
    rollouts.start_rollout(make_rollout(start_at=seconds(NOW_S)), NOW)


@pytest.mark.parametrize(
    "scene",
    [
        _wave_ends_and_the_next_starts,
        _rollout_completes,
        _rollout_stops_and_sends_back,
        _scheduled_rollout_starts,
    ],
)
def test_a_killed_tick_repeats_harmlessly(scene: Callable[[], None]):
    scene()
    undisturbed = transaction.savepoint()
    _tick_to_rest()
    expected = _picture()
    transaction.savepoint_rollback(undisturbed)

    kills = 0
    for number in range(1, 200):
        savepoint = transaction.savepoint()
        try:
            with killed_at_write(number):
                _tick_to_rest()
        except Killed:
            kills += 1
        _tick_to_rest()
        assert _picture() == expected, f"killed at write {number}"
        transaction.savepoint_rollback(savepoint)
        if kills < number:
            break
    assert kills >= 5
    assert kills < 199


def test_a_second_tick_at_once_does_nothing():
    _wave_ends_and_the_next_starts()
    _tick_to_rest()
    before = _picture()
    assert rollouts.tick(seconds(NOW_S)) == 0
    assert _picture() == before
