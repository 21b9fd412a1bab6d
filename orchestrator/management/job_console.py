"""Following a job from a terminal, or being its worker."""

from __future__ import annotations

import threading
import time

from django.core.management.base import CommandError
from django.db import connection
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from orchestrator.models import Job, JobStatus
from orchestrator.services.job_functions import JOB_FUNCTIONS
from orchestrator.services.working import Worker

_POLL_S = 0.5
_ENDED = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED)


def see_through(job: Job, *, inline: bool) -> None:
    """Until the job has ended, run by a worker or, `inline`, by this process.

    CommandError where it did not succeed, and on Ctrl-C, which leaves the job to the workers.
    """
    try:
        (_run_beside if inline else _follow)(job)
    except KeyboardInterrupt as interrupt:
        raise CommandError(f"job {job.pk} is left to the workers") from interrupt
    job.refresh_from_db()
    if job.status != JobStatus.SUCCEEDED:
        reason = (job.error.strip().splitlines() or [job.message or job.status])[-1]
        raise CommandError(f"job {job.pk} did not succeed: {reason}")


def _run_beside(job: Job) -> None:
    """Be this job's worker: in a thread, so that the terminal can follow it."""
    stop = threading.Event()
    worker = Worker(JOB_FUNCTIONS, stop)

    def work() -> None:
        while worker.run_one(only=job.pk):  # as often as a failed attempt may be repeated
            continue
        connection.close()

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    try:
        _follow(job)
    finally:
        stop.set()
        thread.join()


def _follow(job: Job) -> None:
    """Show progress until the job ends, whoever runs it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        shown = progress.add_task("waiting for a worker", total=1.0)
        while job.status not in _ENDED:
            time.sleep(_POLL_S)
            job.refresh_from_db()
            doing = job.message or "waiting for a worker"
            progress.update(shown, completed=job.progress, description=doing)
