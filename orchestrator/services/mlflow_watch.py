"""When MLflow is to be told and asked: one job, again and again. Nothing here calls MLflow."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from orchestrator.models import Job, JobStatus
from orchestrator.services import jobs
from registry.models import Variant
from registry.services.matching import deliverable

FOLLOW = "follow_mlflow"


def tick(now: datetime) -> int:
    """Have the job run again where its interval is over, and for the first time where it is due.

    While one waits, as for a server that is away, or runs, there is never a second.
    """
    if not settings.MLFLOW_INTERVAL_S:
        return 0
    last = Job.objects.filter(kind=FOLLOW).first()
    if last is None:
        return _begin()
    if last.status in (JobStatus.QUEUED, JobStatus.RUNNING):
        return 0
    ended = last.finished_at or last.created_at
    due = ended + timedelta(seconds=settings.MLFLOW_INTERVAL_S) <= now
    return int(due and jobs.repeat(FOLLOW))


def hurry() -> None:
    """A title has moved: MLflow is told as soon as a worker is free.

    In the transaction of the move, so the job sees it. A job that runs just now may have passed
    the model already; the next one finds it, since each looks at how things stand.
    """
    if settings.MLFLOW_INTERVAL_S:
        jobs.repeat(FOLLOW)


def _begin() -> int:
    """There is nothing to tell before there is a model that can be delivered."""
    if not deliverable(Variant.objects.filter(release__model__reference=False)).exists():
        return 0
    jobs.enqueue(FOLLOW)
    return 1
