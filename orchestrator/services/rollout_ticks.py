"""What rollouts do by themselves as time passes and devices answer.

A tick reads levels, not events: it may be killed anywhere or run twice at once. Each step is one
transaction that takes the row it decides about, looks again, and writes under a condition.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import QuerySet

from orchestrator.models import Deployment, Rollout, RolloutStatus, Wave, WaveStatus
from orchestrator.policy.lifecycle import BEFORE_INSTALLED
from orchestrator.policy.rollout import (
    Complete,
    Decision,
    Policy,
    StartWave,
    Stop,
    Wait,
    WaveFailed,
    WaveSucceeded,
    decide,
)
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.selectors.rollouts import newest_updates, wave_counts
from orchestrator.services.champions import crown
from orchestrator.services.deployment_changes import move_all
from orchestrator.services.newcomers import take_in_newcomers
from orchestrator.services.reverts import send_all_back
from orchestrator.services.rollout_start import begin, ready_to_send
from orchestrator.services.soak import settle_soaks
from orchestrator.services.targets import RolloutError
from registry.services.audit import record_step

log = structlog.get_logger(__name__)

_TOLD: dict[type[Decision], str] = {
    StartWave: "wave started",
    WaveSucceeded: "wave succeeded",
    WaveFailed: "wave failed",
    Stop: "rollout stopped",
    Complete: "rollout completed",
}
_ENDED_EARLY = (RolloutStatus.STOPPED, RolloutStatus.ABORTED, RolloutStatus.ROLLED_BACK)


def tick(now: datetime) -> int:
    """Everything that is due at `now`; returns the number of changes. Nothing due costs little."""
    changes = start_due(now) + expire(now) + settle_soaks(now) + take_in_newcomers(now)
    return changes + look_at_marked(now)


def start_due(now: datetime) -> int:
    """Start scheduled rollouts whose time has come; one that fits nobody any more stops."""
    due = Rollout.objects.filter(status=RolloutStatus.SCHEDULED, start_at__lte=now)
    started = 0
    for rollout in due.order_by("start_at"):
        try:
            begin(rollout, now)
        except RolloutError as error:
            log.warning("rollout_not_started", rollout=rollout.pk, why=str(error))
            stopped = due.filter(pk=rollout.pk)
            stopped.update(status=RolloutStatus.STOPPED, detail=str(error), finished_at=now)
        started += 1
    return started


def expire(now: datetime) -> int:
    """End what devices have not installed in time. They were offline, which is no failure."""
    late = Deployment.objects.filter(is_open=True, expires_at__lte=now, status__in=BEFORE_INSTALLED)
    return move_all(late, DeploymentStatus.EXPIRED, now, detail="not installed in time")


def look_at_marked(now: datetime) -> int:
    """Decide about the rollouts in which something ended since they were last looked at."""
    marked = Rollout.objects.filter(
        status__in=[RolloutStatus.RUNNING, *_ENDED_EARLY], waves__recount=True
    ).distinct()
    changes = 0
    for rollout in marked.order_by("pk"):
        while step(rollout, now):
            changes += 1
        changes += settle_ended(rollout, now)
    return changes


def step(rollout: Rollout, now: datetime) -> bool:
    """One decision about a running rollout, applied; False where there is nothing to do.

    Wave marks are cleared before counting and set again unless the answer is Wait: an ending that
    commits in between sets its mark after us, and a kill before the next step loses nothing.
    """
    with transaction.atomic():
        row = Rollout.objects.select_for_update().filter(pk=rollout.pk).get()
        if row.status != RolloutStatus.RUNNING:
            return False
        waves = Wave.objects.filter(rollout=row)
        waves.filter(recount=True).update(recount=False)
        decision = decide(_policy(row), wave_counts(row), now)
        if isinstance(decision, Wait):
            return False
        _apply(row, decision, now)
        record_step(_TOLD[type(decision)], f"rollout {row.pk}", _words(decision), now)
        waves.update(recount=True)
    log.info("rollout_step", rollout=row.pk, decision=repr(decision))
    return True


def _words(decision: Decision) -> str:
    match decision:
        case WaveFailed(number, why):
            return f"wave {number}: {why}"
        case StartWave(number) | WaveSucceeded(number):
            return f"wave {number}"
        case Stop(why):
            return why
    return ""


def _policy(rollout: Rollout) -> Policy:
    return Policy(
        rollout.success_threshold,
        rollout.error_threshold,
        rollout.start_at,
        rollout.expires_at if rollout.is_dynamic else None,
    )


def _apply(rollout: Rollout, decision: Decision, now: datetime) -> None:
    match decision:
        case StartWave(number):
            ready_to_send(newest_updates(rollout, number=number), now)
            _wave(rollout, number).update(status=WaveStatus.RUNNING, started_at=now)
        case WaveSucceeded(number):
            _wave(rollout, number).update(status=WaveStatus.SUCCEEDED, finished_at=now)
            _crown_early(rollout, now)
        case WaveFailed(number, why):
            _wave(rollout, number).update(status=WaveStatus.FAILED, finished_at=now)
            Rollout.objects.filter(pk=rollout.pk).update(detail=f"Wave {number}: {why}.")
        case Stop():
            _finish(rollout, RolloutStatus.STOPPED, now)
            unfinished = [WaveStatus.WAITING, WaveStatus.RUNNING]
            rollout.waves.filter(status__in=unfinished).update(
                status=WaveStatus.CANCELLED, finished_at=now
            )
        case Complete():
            _finish(rollout, RolloutStatus.COMPLETED, now)
            crown(rollout, now)


def _crown_early(rollout: Rollout, now: datetime) -> None:
    """A dynamic rollout goes on until it expires; its release has proved itself long before."""
    unfinished = rollout.waves.exclude(status=WaveStatus.SUCCEEDED)
    if rollout.is_dynamic and not unfinished.exists():
        crown(rollout, now)


def _wave(rollout: Rollout, number: int) -> QuerySet[Wave]:
    return Wave.objects.filter(rollout=rollout, number=number)


def _finish(rollout: Rollout, status: RolloutStatus, now: datetime) -> None:
    Rollout.objects.filter(pk=rollout.pk).update(status=status, finished_at=now)


def settle_ended(rollout: Rollout, now: datetime) -> int:
    """At an early end: cancel what is not installed, send back what the rollout says.

    The marks go last, so that a kill in between leaves the rollout to the next tick.
    """
    row = Rollout.objects.get(pk=rollout.pk)
    if row.status not in _ENDED_EARLY:
        return 0
    # Each statement asks anew whether it has ended: a retry may reopen it at any moment, and then
    # neither its new attempts nor its marks are ours.
    unsent = newest_updates(row, rollout__status__in=_ENDED_EARLY)
    unsent = unsent.filter(is_open=True, status__in=BEFORE_INSTALLED)
    changes = move_all(unsent, DeploymentStatus.CANCELLED, now, detail=f"rollout {row.status}")
    goes_back = row.status == RolloutStatus.STOPPED and row.revert_on_failure
    if goes_back or row.status == RolloutStatus.ROLLED_BACK:
        changes += send_all_back(row, now)
    ended = Wave.objects.filter(rollout=row, rollout__status__in=_ENDED_EARLY, recount=True)
    ended.update(recount=False)
    return changes
