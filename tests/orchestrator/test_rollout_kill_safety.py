"""A tick that is killed at any statement does no harm: the next one ends where it would have.

`make test` kills at some writes, `make soak` at every one, and twice in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random

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


class CountedWrites:
    """Counts what a statement writes; the process dies instead of its `fatal`th write."""

    def __init__(self, fatal: int | None = None) -> None:
        self.count = 0
        self._fatal = fatal

    def __call__(self, execute, sql, params, many, context):
        self.count += sql.startswith(_WRITES)
        if sql.startswith(_WRITES) and self.count == self._fatal:
            raise Killed
        return execute(sql, params, many, context)


@contextmanager
def killed_at_write(number: int) -> Iterator[None]:
    with connection.execute_wrapper(CountedWrites(number)):
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


SCENES = [
    _wave_ends_and_the_next_starts,
    _rollout_completes,
    _rollout_stops_and_sends_back,
    _scheduled_rollout_starts,
]


@contextmanager
def _undone() -> Iterator[None]:
    savepoint = transaction.savepoint()
    yield
    transaction.savepoint_rollback(savepoint)


def _is_killed_at(number: int) -> bool:
    """Tick until the `number`th write kills it; False where it came to rest before."""
    try:
        with killed_at_write(number):
            _tick_to_rest()
    except Killed:
        return True
    return False


def _writes_to_rest() -> tuple[int, tuple]:
    """How many writes bring the world to rest, and how it then looks."""
    with _undone():
        seen = CountedWrites()
        with connection.execute_wrapper(seen):
            _tick_to_rest()
        return seen.count, _picture()


def _repeats_harmlessly(kills: Sequence[int], expected: tuple) -> None:
    """Kill one tick after another, each at its write, then let the last one end."""
    with _undone():
        for number in kills:
            _is_killed_at(number)
        _tick_to_rest()
        assert _picture() == expected, f"killed at write {kills}"


@pytest.mark.parametrize("scene", SCENES)
def test_a_killed_tick_repeats_harmlessly(scene: Callable[[], None]):
    scene()
    writes, expected = _writes_to_rest()
    assert writes >= 5
    with _undone():
        assert _is_killed_at(writes)
    with _undone():
        assert not _is_killed_at(writes + 1)
    some = {1, writes, *Random(7).sample(range(1, writes + 1), 5)}
    for number in sorted(some):
        _repeats_harmlessly([number], expected)


@pytest.mark.soak
@pytest.mark.parametrize("scene", SCENES)
def test_a_tick_killed_at_any_write_repeats_harmlessly(scene: Callable[[], None]):
    scene()
    writes, expected = _writes_to_rest()
    for number in range(1, writes + 1):
        _repeats_harmlessly([number], expected)


@pytest.mark.soak
@pytest.mark.parametrize("scene", SCENES)
def test_ticks_killed_twice_repeat_harmlessly(scene: Callable[[], None]):
    scene()
    writes, expected = _writes_to_rest()
    pairs = [(first, second) for first in range(1, writes + 1) for second in range(1, writes + 1)]
    for pair in Random(8).sample(pairs, min(len(pairs), 60)):
        _repeats_harmlessly(pair, expected)


def test_a_second_tick_at_once_does_nothing():
    _wave_ends_and_the_next_starts()
    _tick_to_rest()
    before = _picture()
    assert rollouts.tick(seconds(NOW_S)) == 0
    assert _picture() == before
