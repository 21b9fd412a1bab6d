"""From an alert to a logged round, with every message possibly twice."""

from __future__ import annotations

import struct
import uuid

import pytest

from orchestrator.models import DriftAlert, Job, LearningStatus, LearningTask
from orchestrator.protocol.messages import LearnStatus, LearnUpdate
from orchestrator.services import learning
from registry.models import Device, DeviceStatus
from tests.orchestrator import rollout_world
from tests.orchestrator.members import NOW, later, member

pytestmark = pytest.mark.django_db

WEIGHTS = struct.pack("<6f", *range(6))


@pytest.fixture
def variant():
    return rollout_world.make_release().variants.get(name="large")


@pytest.fixture
def fleet(variant) -> list[Device]:
    return [member(f"pump-{n}", installed=variant, installed_at=NOW) for n in range(3)]


def alert_on(device: Device, at=NOW) -> DriftAlert:
    return DriftAlert.objects.create(
        device=device,
        variant=device.installed,
        detector="test",
        detected_at=at,
        first_telemetry=0,
        last_telemetry=1,
        accuracy_before=0.95,
        accuracy_after=0.5,
    )


def opened(devices, now=NOW) -> list[LearningTask]:
    return learning.open_tasks([alert_on(device, now) for device in devices], now)


def finished(task: LearningTask) -> LearnUpdate:
    return LearnUpdate(
        task.pk,
        LearnStatus.FINISHED,
        samples=200,
        accuracy_before=0.5,
        accuracy_after=0.9,
        training_bytes=1024,
        shape=(3, 2),
        weights=WEIGHTS,
    )


def test_an_alert_opens_one_task_with_the_installations_settings(fleet, settings) -> None:
    settings.LEARNING_RATE, settings.LEARNING_SAMPLES, settings.LEARNING_EXPIRY_S = 0.01, 50, 600
    alert = alert_on(fleet[0])
    (task,) = learning.open_tasks([alert], NOW)
    assert learning.open_tasks([alert], NOW) == []
    order = learning.task_order(task)
    assert (order.device_id, order.digest) == ("pump-0", task.variant.artifact_id)
    assert (order.method, order.learning_rate, order.samples) == ("tinyol", 0.01, 50)
    assert order.expires_at - order.issued_at == 600
    assert order.issued_at == int(NOW.timestamp())


def test_a_device_that_learns_already_gets_no_second_task(fleet) -> None:
    opened(fleet[:1])
    assert opened(fleet[:1]) == []


def test_a_device_that_moved_on_gets_no_task(fleet, variant) -> None:
    alerts = [alert_on(device) for device in fleet]
    other = variant.release.variants.get(name="small")
    Device.objects.filter(pk=fleet[0].pk).update(installed=other)
    Device.objects.filter(pk=fleet[1].pk).update(status=DeviceStatus.REVOKED)
    fresh = learning.unanswered_alerts(NOW)
    assert [alert.pk for alert in fresh] == [alert.pk for alert in alerts]
    assert [task.device for task in learning.open_tasks(fresh, NOW)] == [fleet[2]]


def test_an_alert_that_was_never_answered_is_answered_by_the_next_tick(fleet) -> None:
    alert_on(fleet[0])
    assert learning.tick(NOW) == 1
    assert learning.tick(NOW) == 0


def test_a_signed_task_is_published_until_it_ends(fleet) -> None:
    (task,) = opened(fleet[:1])
    assert learning.pending_tasks() == [task]
    assert list(learning.open_orders()) == []
    assert learning.attach_task(task, b"signed")
    assert not learning.attach_task(task, b"signed again")
    assert learning.pending_tasks() == []
    assert list(learning.open_orders()) == [("pump-0", b"signed")]
    learning.apply_update(fleet[0], LearnUpdate(task.pk, LearnStatus.RUNNING), NOW)
    assert list(learning.open_orders()) == [("pump-0", b"signed")]
    learning.apply_update(fleet[0], finished(task), NOW)
    assert list(learning.open_orders()) == []


def test_an_answer_is_kept_in_full_and_only_once(fleet) -> None:
    (task,) = opened(fleet[:1])
    assert learning.apply_update(fleet[0], finished(task), later(9))
    refusal = LearnUpdate(task.pk, LearnStatus.REFUSED, detail="too late")
    for update in (finished(task), refusal, LearnUpdate(task.pk, LearnStatus.RUNNING)):
        assert not learning.apply_update(fleet[0], update, later(10))
    task.refresh_from_db()
    assert (task.status, task.finished_at) == (LearningStatus.FINISHED, later(9))
    assert (task.samples, task.accuracy_before, task.accuracy_after) == (200, 0.5, 0.9)
    assert (task.training_bytes, task.weights_shape) == (1024, [3, 2])
    assert bytes(task.weights) == WEIGHTS
    assert Job.objects.count() == 1


def test_nobody_answers_for_another_device(fleet) -> None:
    (task,) = opened(fleet[:1])
    assert not learning.apply_update(fleet[1], finished(task), NOW)
    assert not learning.apply_update(fleet[0], LearnUpdate(uuid.uuid4(), LearnStatus.RUNNING), NOW)
    task.refresh_from_db()
    assert task.status == LearningStatus.PENDING


def test_a_round_is_logged_once_when_its_last_task_ends(fleet) -> None:
    tasks = opened(fleet)
    assert {task.round for task in tasks} == {1}
    learning.apply_update(fleet[0], finished(tasks[0]), NOW)
    learning.apply_update(fleet[1], LearnUpdate(tasks[1].pk, LearnStatus.REFUSED), NOW)
    assert not Job.objects.exists()
    for _ in range(2):
        learning.apply_update(fleet[2], finished(tasks[2]), NOW)
    job = Job.objects.get()
    assert job.kind == "log_learning"
    assert sorted(job.payload["tasks"]) == sorted(str(task.pk) for task in tasks)


def test_a_task_after_a_complete_round_begins_the_next(fleet) -> None:
    (first,) = opened(fleet[:1])
    learning.apply_update(fleet[0], finished(first), NOW)
    assert [task.round for task in opened(fleet[:2], later(60))] == [2, 2]


def test_a_round_that_taught_nothing_is_not_logged(fleet) -> None:
    (task,) = opened(fleet[:1])
    learning.apply_update(fleet[0], LearnUpdate(task.pk, LearnStatus.FAILED, detail="no"), NOW)
    assert not Job.objects.exists()


def test_a_silent_device_does_not_hold_up_its_round(fleet, settings) -> None:
    settings.LEARNING_EXPIRY_S = 600
    tasks = opened(fleet[:2])
    learning.apply_update(fleet[0], finished(tasks[0]), NOW)
    assert learning.tick(later(599)) == 0
    assert learning.tick(later(600)) == 1
    tasks[1].refresh_from_db()
    assert (tasks[1].status, tasks[1].detail) == (LearningStatus.FAILED, learning.NO_ANSWER)
    assert Job.objects.count() == 1


def test_what_the_signer_refuses_ends(fleet) -> None:
    (task,) = opened(fleet[:1])
    assert learning.refuse_to_send(task, "not allowed", NOW)
    task.refresh_from_db()
    assert (task.status, task.detail) == (LearningStatus.FAILED, "not allowed")
