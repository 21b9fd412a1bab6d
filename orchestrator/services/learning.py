"""Learning rounds: drift opens tasks, devices answer them, a finished round goes to be logged.

A round is the tasks of one variant that were open at the same time. Whoever ends its last task
enqueues the job that aggregates it, in the same transaction, so a round is logged exactly once
however often an answer comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet

from orchestrator.models import DriftAlert, LearningStatus, LearningTask
from orchestrator.protocol.messages import LearnStatus, LearnTask, LearnUpdate
from orchestrator.services import drift
from orchestrator.services.drift import OPEN_STATUSES
from orchestrator.services.jobs import enqueue
from registry.models import Device, DeviceStatus, Variant

log = structlog.get_logger(__name__)

METHOD = "tinyol"
LOG_JOB = "log_learning"
NO_ANSWER = "the device did not answer in time"

_seen: drift.Seen = {}
_OUTCOMES = {
    LearnStatus.FINISHED: LearningStatus.FINISHED,
    LearnStatus.REFUSED: LearningStatus.REFUSED,
    LearnStatus.FAILED: LearningStatus.FAILED,
}


def tick(now: datetime) -> int:
    """Look for drift, answer it with tasks, give up those without an answer.

    Returns how many tasks were opened or given up.
    """
    drift.scan(now, _seen)
    return len(open_tasks(unanswered_alerts(now), now)) + expire_tasks(now)


def unanswered_alerts(now: datetime) -> list[DriftAlert]:
    """Recent alerts without a task, also those of a scheduler that died before it opened one."""
    since = now - timedelta(seconds=settings.LEARNING_EXPIRY_S)
    waiting = DriftAlert.objects.filter(tasks=None, detected_at__gte=since)
    return list(waiting.select_related("device", "variant").order_by("pk"))


def open_tasks(alerts: Iterable[DriftAlert], now: datetime) -> list[LearningTask]:
    """A task for each alert whose device still runs the variant and is not learning already."""
    opened = [task for alert in alerts if (task := _open_task(alert, now))]
    for task in opened:
        log.info("learning_task_opened", task=str(task.pk), device=task.device.device_id)
    return opened


def pending_tasks(limit: int = 100) -> list[LearningTask]:
    """Tasks that nobody has signed yet, oldest first."""
    waiting = _of_members(LearningTask.objects.filter(status=LearningStatus.PENDING))
    return list(
        waiting.select_related("device", "variant__artifact").order_by("created_at")[:limit]
    )


def task_order(task: LearningTask) -> LearnTask:
    """What the device is to be told. Times are whole UNIX seconds."""
    return LearnTask(
        task=task.pk,
        device_id=task.device.device_id,
        digest=task.variant.delivered.sha256,
        method=task.method,
        learning_rate=task.parameters["learning_rate"],
        samples=task.parameters["samples"],
        issued_at=task.parameters["issued_at"],
        expires_at=task.parameters["expires_at"],
    )


def attach_task(task: LearningTask, envelope: bytes) -> bool:
    """Keep the signed task; from here it is published. False where it has ended meanwhile."""
    waiting = LearningTask.objects.filter(pk=task.pk, status=LearningStatus.PENDING)
    return bool(waiting.update(envelope=envelope, status=LearningStatus.SENT))


def refuse_to_send(task: LearningTask, why: str, now: datetime) -> bool:
    """End a task that the signer will not sign; it would refuse it again."""
    return _end(task.pk, LearnUpdate(task.pk, LearnStatus.FAILED, detail=why), now)


def open_orders() -> Iterator[tuple[str, bytes]]:
    """Every device's id and the signed task that is to stand in its `learn/task` topic."""
    published = (LearningStatus.SENT, LearningStatus.RUNNING)
    tasks = _of_members(LearningTask.objects.filter(status__in=published))
    rows = tasks.order_by("created_at").values_list("device__device_id", "envelope")
    for device_id, envelope in rows:
        if envelope is not None:
            yield device_id, bytes(envelope)


@transaction.atomic
def apply_update(device: Device, update: LearnUpdate, now: datetime) -> bool:
    """Take what a device says of a task of its own; returns whether that changed anything.

    A repeated answer, one to an ended task, and one to another device's task change nothing.
    """
    tasks = LearningTask.objects.filter(pk=update.task, device=device)
    if not tasks.exists():
        log.warning("update_of_no_task", device=device.device_id, task=str(update.task))
        return False
    if update.status is LearnStatus.RUNNING:
        waiting = tasks.filter(status__in=OPEN_STATUSES)
        status = LearningStatus.RUNNING
        return bool(waiting.update(status=status, **_figures(update)))
    return _end(update.task, update, now)


def expire_tasks(now: datetime) -> int:
    """End tasks that no device has answered by their expiry; returns how many."""
    unanswered = LearningTask.objects.filter(status__in=OPEN_STATUSES).only("parameters")
    overdue = [t.pk for t in unanswered if t.parameters["expires_at"] <= now.timestamp()]
    updates = [LearnUpdate(pk, LearnStatus.FAILED, detail=NO_ANSWER) for pk in overdue]
    return sum(_end(update.task, update, now) for update in updates)


@transaction.atomic
def _open_task(alert: DriftAlert, now: datetime) -> LearningTask | None:
    # Locked: a round gets no new member while another process decides that it is complete.
    variant = Variant.objects.select_for_update().get(pk=alert.variant_id)
    busy = LearningTask.objects.filter(device=alert.device, status__in=OPEN_STATUSES)
    device = alert.device
    current = device.status == DeviceStatus.ACCEPTED and device.installed_id == variant.pk
    if LearningTask.objects.filter(alert=alert).exists() or busy.exists() or not current:
        return None
    issued_at = int(now.timestamp())
    return LearningTask.objects.create(
        device=device,
        variant=variant,
        alert=alert,
        round=_round(variant),
        method=METHOD,
        parameters={
            "learning_rate": settings.LEARNING_RATE,
            "samples": settings.LEARNING_SAMPLES,
            "issued_at": issued_at,
            "expires_at": issued_at + settings.LEARNING_EXPIRY_S,
        },
    )


def _round(variant: Variant) -> int:
    """The round that is going on, or the next one."""
    tasks = LearningTask.objects.filter(variant=variant)
    last = tasks.aggregate(last=Max("round"))["last"] or 0
    going_on = tasks.filter(round=last, status__in=OPEN_STATUSES).exists()
    return last if going_on else last + 1


@transaction.atomic
def _end(task_id: UUID, update: LearnUpdate, now: datetime) -> bool:
    task = LearningTask.objects.get(pk=task_id)
    Variant.objects.select_for_update().get(pk=task.variant_id)
    # Conditional: a task ends once, whoever else is ending it at the same time.
    open_still = LearningTask.objects.filter(pk=task.pk, status__in=OPEN_STATUSES)
    outcome = _OUTCOMES[update.status]
    if not open_still.update(status=outcome, finished_at=now, **_figures(update)):
        return False
    log.info("learning_task_ended", task=str(task.pk), outcome=outcome.value, detail=update.detail)
    _log_round(task)
    return True


def _figures(update: LearnUpdate) -> dict[str, object]:
    return {
        "detail": update.detail,
        "samples": update.samples,
        "accuracy_before": update.accuracy_before,
        "accuracy_after": update.accuracy_after,
        "training_bytes": update.training_bytes,
        "weights": update.weights or None,
        "weights_shape": list(update.shape) if update.shape else None,
    }


def _log_round(task: LearningTask) -> None:
    """Where the round is complete and taught anything, have it aggregated."""
    tasks = LearningTask.objects.filter(variant=task.variant_id, round=task.round)
    if tasks.filter(status__in=OPEN_STATUSES).exists():
        return
    if tasks.filter(status=LearningStatus.FINISHED).exists():
        ids = [str(key) for key in tasks.order_by("created_at").values_list("pk", flat=True)]
        enqueue(LOG_JOB, {"tasks": ids})


def _of_members(tasks: QuerySet[LearningTask]) -> QuerySet[LearningTask]:
    return tasks.filter(device__status=DeviceStatus.ACCEPTED)
