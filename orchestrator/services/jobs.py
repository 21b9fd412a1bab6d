"""The queue of long work: rows in the database, claimed by conditional update.

A claim is a lease. A worker that lives renews it; one that was killed does not, and after
JOB_LEASE_S its job is claimed again, at most JOB_MAX_ATTEMPTS times. Every later write of a worker
is conditional on its still owning the job, so one that was only slow cannot overwrite its heir.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db.models import Q, Value
from django.db.models.functions import Concat
from django.utils import timezone

from orchestrator.models import Job, JobStatus

log = structlog.get_logger(__name__)

_MESSAGE_LENGTH = 300
_ENDED = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED)


class LeaseLost(Exception):
    """The job belongs to another worker by now; whoever raises this must stop."""


class JobRefusal(Exception):
    """An order that the job's present status does not allow; the message is a sentence."""


def enqueue(kind: str, payload: Mapping[str, Any] | None = None) -> Job:
    """Add work. It begins when the transaction around it is committed and a worker is free."""
    job = Job.objects.create(kind=kind, payload=dict(payload or {}))
    log.info("job_enqueued", job=job.pk, kind=kind)
    return job


def repeat(kind: str) -> bool:
    """Let the newest job of a kind run once more, if it has ended; whether it had.

    For work that is due again and again: one row tells how it went last, however often it runs.
    """
    newest = Job.objects.filter(kind=kind).first()
    if newest is None:
        return False
    ended = Job.objects.filter(pk=newest.pk, status__in=_ENDED, attempts=newest.attempts)
    told = {"progress": 0.0, "message": "", "log": "", "owner": ""}
    return bool(
        ended.update(status=JobStatus.QUEUED, attempts=0, ready_at=None, finished_at=None, **told)
    )


def claim(owner: str, now: datetime, only: int | None = None) -> Job | None:
    """The oldest job that waits, or whose worker fell silent; None where there is none.

    `only` is the key of the one job that is wanted.
    """
    _give_up_on_exhausted(now)
    waits = Q(status=JobStatus.QUEUED) & (Q(ready_at=None) | Q(ready_at__lte=now))
    ready = waits | Q(status=JobStatus.RUNNING, lease_until__lte=now)
    ready &= Q() if only is None else Q(pk=only)
    for job in Job.objects.filter(ready).order_by("id")[:20]:
        # Conditional on what was read: of several workers that read this row, one gets it.
        same = Job.objects.filter(pk=job.pk, status=job.status, lease_until=job.lease_until)
        if same.update(
            status=JobStatus.RUNNING,
            owner=owner,
            lease_until=_lease_end(now),
            attempts=job.attempts + 1,
        ):
            job.refresh_from_db()
            log.info("job_claimed", job=job.pk, kind=job.kind, owner=owner, attempt=job.attempts)
            return job
    return None


def heartbeat(job: Job, now: datetime) -> None:
    """Keep the lease; LeaseLost where it went to another."""
    _update_owned(job, lease_until=_lease_end(now))


def note_progress(job: Job, progress: float, message: str) -> None:
    """How far it is, as a fraction of one, and what it does now."""
    _update_owned(job, progress=progress, message=message[:_MESSAGE_LENGTH])


def note_line(job: Job, line: str) -> None:
    """One line more in the job's log, with the time."""
    told = f"{timezone.now():%H:%M:%S} {line[:_MESSAGE_LENGTH]}\n"
    _update_owned(job, log=Concat("log", Value(told)))


def finish(job: Job, result: Any) -> None:
    """It is done; `result` is kept as JSON."""
    _update_owned(
        job,
        status=JobStatus.SUCCEEDED,
        progress=1.0,
        result=result,
        error="",
        lease_until=None,
        finished_at=timezone.now(),
    )
    log.info("job_succeeded", job=job.pk, kind=job.kind)


def fail(job: Job, error: str) -> None:
    """It failed; another attempt is made as long as there is one left."""
    if job.attempts >= settings.JOB_MAX_ATTEMPTS:
        give_up(job, error)
        return
    _update_owned(job, status=JobStatus.QUEUED, owner="", lease_until=None, error=error)
    log.warning("job_failed", job=job.pk, kind=job.kind, attempt=job.attempts, error=error[-300:])


def give_up(job: Job, reason: str) -> None:
    """It failed, and no other attempt follows: none is left, or none alone would mend it."""
    _update_owned(
        job,
        status=JobStatus.FAILED,
        error=reason,
        lease_until=None,
        finished_at=timezone.now(),
    )
    log.warning("job_failed", job=job.pk, kind=job.kind, attempt=job.attempts, error=reason[-300:])


def cancel(job: Job) -> Job:
    """End a job that waits or runs; what it has finished stays. JobRefusal where it has ended.

    Whoever runs it owns it no more, so it stops at its next step.
    """
    open_ones = Job.objects.filter(pk=job.pk, status__in=[JobStatus.QUEUED, JobStatus.RUNNING])
    if not open_ones.update(
        status=JobStatus.CANCELLED, owner="", lease_until=None, finished_at=timezone.now()
    ):
        job.refresh_from_db()
        raise JobRefusal(f"Job {job.pk} has {job.status}; there is nothing to cancel.")
    job.refresh_from_db()
    log.info("job_cancelled", job=job.pk, kind=job.kind)
    return job


def retry(job: Job) -> Job:
    """Let a job that failed or was cancelled go on, with all its attempts. JobRefusal otherwise."""
    ended = Job.objects.filter(pk=job.pk, status__in=[JobStatus.FAILED, JobStatus.CANCELLED])
    if not ended.update(
        status=JobStatus.QUEUED, attempts=0, error="", ready_at=None, finished_at=None
    ):
        job.refresh_from_db()
        raise JobRefusal(
            f"Job {job.pk} is {job.status}; only a failed or cancelled one is tried again."
        )
    job.refresh_from_db()
    log.info("job_retried", job=job.pk, kind=job.kind)
    return job


def postpone(job: Job, reason: str, ready_at: datetime) -> None:
    """Something it needs is away: it waits until `ready_at`; no attempt is counted."""
    _update_owned(
        job,
        status=JobStatus.QUEUED,
        owner="",
        lease_until=None,
        attempts=job.attempts - 1,
        ready_at=ready_at,
        message=reason[:_MESSAGE_LENGTH],
    )
    log.info("job_postponed", job=job.pk, kind=job.kind, reason=reason, until=ready_at.isoformat())


def let_go(job: Job) -> None:
    """Hand an unfinished job back at once, its worker being asked to end; no attempt is counted."""
    _update_owned(
        job, status=JobStatus.QUEUED, owner="", lease_until=None, attempts=job.attempts - 1
    )
    log.info("job_let_go", job=job.pk, kind=job.kind)


def _update_owned(job: Job, **fields: Any) -> None:
    owned = Job.objects.filter(
        pk=job.pk, owner=job.owner, attempts=job.attempts, status=JobStatus.RUNNING
    )
    if not owned.update(**fields):
        raise LeaseLost(f"job {job.pk} is not {job.owner}'s any more")


def _lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.JOB_LEASE_S)


def _give_up_on_exhausted(now: datetime) -> None:
    silent = Job.objects.filter(
        status=JobStatus.RUNNING, lease_until__lte=now, attempts__gte=settings.JOB_MAX_ATTEMPTS
    )
    silent.update(
        status=JobStatus.FAILED,
        finished_at=now,
        lease_until=None,
        error=f"its worker fell silent {settings.JOB_MAX_ATTEMPTS} times",
    )
