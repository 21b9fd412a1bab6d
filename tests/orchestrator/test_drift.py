"""Drift is noticed within a few packs, never where there is none, and once for each change."""

from __future__ import annotations

import random
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.models import DriftAlert, LearningStatus, LearningTask, Telemetry
from orchestrator.policy.drift import Pack, detect
from orchestrator.services import drift
from registry.models import Device, Variant
from tests.orchestrator import rollout_world
from tests.orchestrator.members import NOW, later, member

SEEDS = range(40)


def packs_at(accuracy: float, count: int, seed: int) -> list[Pack]:
    """Packs of one size between 10 and 20 labelled samples, right with this probability."""
    dice = random.Random(seed)
    size = dice.randint(10, 20)
    return [(sum(dice.random() < accuracy for _ in range(size)), size) for _ in range(count)]


@pytest.mark.parametrize("accuracy", [1.0, 0.96, 0.9, 0.8, 0.5])
@pytest.mark.parametrize("informed", [True, False])
def test_a_stream_without_change_raises_no_alarm(accuracy, informed) -> None:
    reference = accuracy if informed else None
    alarms = [detect(packs_at(accuracy, 150, seed), reference) for seed in SEEDS]
    assert sum(alarm is not None for alarm in alarms) <= 1


def test_a_field_a_little_worse_than_the_evaluation_is_no_drift() -> None:
    assert not any(detect(packs_at(0.94, 150, seed), 0.97) for seed in SEEDS)


@pytest.mark.parametrize(("after", "median_at_most", "at_most"), [(0.5, 3, 6), (0.65, 5, 9)])
@pytest.mark.parametrize("before_packs", [4, 40])
def test_a_fall_is_noticed_within_a_few_packs(before_packs, after, median_at_most, at_most):
    delays = []
    for seed in SEEDS:
        packs = packs_at(0.96, before_packs, seed) + packs_at(after, 40, 1000 + seed)
        point = detect(packs, 0.96)
        assert point.noticed >= before_packs
        assert abs(point.began - before_packs) <= 4
        assert point.accuracy_after < 0.8 < point.accuracy_before
        delays.append(point.noticed - before_packs + 1)
    assert sorted(delays)[len(delays) // 2] <= median_at_most
    assert max(delays) <= at_most


def test_a_small_fall_is_noticed_too_where_the_evaluation_is_known() -> None:
    points = [detect(packs_at(0.96, 4, s) + packs_at(0.8, 40, 9000 + s), 0.96) for s in SEEDS]
    assert all(points)


def test_getting_better_is_no_drift() -> None:
    assert not any(detect(packs_at(0.6, 20, s) + packs_at(0.97, 60, s)) for s in SEEDS)


packs = st.lists(
    st.integers(0, 30).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), max_size=40
)


@given(packs, st.none() | st.floats(0, 1))
def test_any_packs_give_a_sound_answer_and_the_same_one_again(given_packs, reference) -> None:
    point = detect(given_packs, reference)
    assert detect(given_packs, reference) == point
    if point is not None:
        assert 0 <= point.began <= point.noticed < len(given_packs)
        assert 0 <= point.accuracy_after <= 1
        assert 0 <= point.accuracy_before <= 1
        assert detect(given_packs[: point.noticed], reference) is None


class Field:
    """A device in the field whose telemetry the test writes."""

    def __init__(self, name: str = "pump-1") -> None:
        self.variant: Variant = rollout_world.make_release().variants.get(name="large")
        self.device: Device = member(name, installed=self.variant, installed_at=NOW)
        self.sequence = 0

    def report(self, accuracy: float, count: int, **fields) -> list[Telemetry]:
        """Packs of 20 labelled samples, exactly so accurate."""
        rows = []
        for _ in range(count):
            self.sequence += 1
            values = {"variant": self.variant, "samples": 20, "labelled": 20} | fields
            row = Telemetry.objects.create(
                device=self.device,
                boot=1,
                sequence=self.sequence,
                at=self.now,
                received_at=self.now,
                accuracy=accuracy,
                **values,
            )
            rows.append(row)
        return rows

    @property
    def now(self) -> datetime:
        return later(self.sequence)


@pytest.fixture
def field(db) -> Field:
    return Field()


def test_a_fall_becomes_one_alert_however_often_it_is_looked_at(field) -> None:
    field.report(0.95, 6)
    assert drift.scan(field.now) == []
    rows = field.report(0.4, 4)
    (alert,) = drift.scan(field.now)
    assert (alert.device, alert.variant) == (field.device, field.variant)
    assert alert.accuracy_before == pytest.approx(0.95, abs=0.03)
    assert alert.accuracy_after == pytest.approx(0.4, abs=0.05)
    assert rows[0].pk <= alert.last_telemetry <= rows[-1].pk
    for _ in range(3):
        field.report(0.4, 5)
        assert drift.scan(field.now) == []
    assert DriftAlert.objects.count() == 1


def test_a_restart_in_the_middle_of_a_fall_loses_nothing(field) -> None:
    seen: drift.Seen = {}
    field.report(0.95, 6)
    assert drift.scan(field.now, seen) == []
    field.report(0.6, 1)
    assert drift.scan(field.now, seen) == []
    seen = {}  # all that a process remembers
    field.report(0.6, 3)
    assert len(drift.scan(field.now, seen)) == 1


def test_a_device_that_has_said_nothing_new_costs_one_query(field, django_assert_num_queries):
    seen: drift.Seen = {}
    field.report(0.95, 6)
    drift.scan(field.now, seen)
    field.report(0.2, 6)
    drift.scan(field.now, seen)
    with django_assert_num_queries(1):
        assert drift.scan(field.now, seen) == []


def test_a_second_fall_after_a_recovery_is_a_second_alert(field) -> None:
    field.report(0.95, 6)
    field.report(0.5, 4)
    assert len(drift.scan(field.now)) == 1
    field.report(0.95, 30)
    assert drift.scan(field.now) == []
    field.report(0.4, 12)
    assert len(drift.scan(field.now)) == 1


def test_a_new_installation_starts_a_new_window(field) -> None:
    field.report(0.95, 10)
    Device.objects.update(installed_at=later(field.sequence + 0.5))
    field.report(0.88, 30)
    assert drift.scan(field.now) == []


def test_packs_of_another_variant_or_without_labels_say_nothing(field) -> None:
    other = field.variant.release.variants.get(name="small")
    field.report(0.95, 6)
    field.report(0.2, 10, variant=other)
    field.report(0.2, 10, variant=None)
    field.report(None, 10, labelled=0)
    assert drift.scan(field.now) == []


@pytest.mark.parametrize("status", ["pending", "rejected", "revoked"])
def test_a_device_that_is_no_member_is_left_alone(field, status) -> None:
    Device.objects.update(status=status)
    field.report(0.95, 6)
    field.report(0.2, 10)
    assert drift.scan(field.now) == []


def test_a_device_that_is_learning_is_left_alone_and_looked_at_afterwards(field) -> None:
    task = LearningTask.objects.create(device=field.device, variant=field.variant)
    field.report(0.95, 6)
    field.report(0.3, 6)
    assert drift.scan(field.now) == []
    task.status, task.finished_at = LearningStatus.FINISHED, later(field.sequence + 0.5)
    task.save()
    field.report(0.95, 6)
    assert drift.scan(field.now) == []
    field.report(0.3, 6)
    assert len(drift.scan(field.now)) == 1
