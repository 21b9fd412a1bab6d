"""A worker: one job at a time, with a heartbeat beside it."""

from __future__ import annotations

import os
import socket
import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, OperationalError, close_old_connections, connection
from django.utils import timezone

from orchestrator.models import Job
from orchestrator.services import jobs

log = structlog.get_logger(__name__)

_IDLE_S = 0.5
_NOTE_AGAIN_S = 5.0


class Stopped(Exception):
    """The worker is asked to end; the job at hand is handed back."""


class Unavailable(Exception):
    """Something that the job needs does not answer; the job is to be tried again later."""


class GivenUp(Exception):
    """The job cannot end well as things are, and says why: it has failed, and no attempt follows.

    It can be tried again by hand, once what it names has been mended.
    """


class JobContext:
    """What a job function is given: where it stands, and a way to say so."""

    def __init__(self, job: Job, stop: threading.Event) -> None:
        self.job = job
        self._stop = stop
        self._lost = threading.Event()

    def report(self, progress: float, message: str) -> None:
        """Note progress (a fraction of one). Raises Stopped or LeaseLost where it must end."""
        self.check()
        jobs.note_progress(self.job, progress, message)

    def say(self, line: str) -> None:
        """One line more in the job's log. Raises Stopped or LeaseLost where it must end."""
        self.check()
        jobs.note_line(self.job, line)

    def check(self) -> None:
        """A place at which the job may be ended."""
        if self._stop.is_set():
            raise Stopped
        if self._lost.is_set():
            raise jobs.LeaseLost(f"job {self.job.pk} went to another worker")

    def mark_lost(self) -> None:
        """Called by the heartbeat: the lease is another's."""
        self._lost.set()


JobFunction = Callable[[JobContext, dict[str, Any]], Any]


class Worker:
    """Claims and runs jobs until `stop` is set."""

    def __init__(self, functions: Mapping[str, JobFunction], stop: threading.Event) -> None:
        self._functions = functions
        self._stop = stop
        self.owner = f"{socket.gethostname()}:{os.getpid()}"

    def run(self) -> None:
        """Until asked to stop."""
        while not self._stop.is_set():
            close_old_connections()
            if not self.run_one():
                self._stop.wait(_IDLE_S)

    def run_one(self, only: int | None = None) -> bool:
        """Run the next job, or `only` that one, if it is ready; whether it was."""
        job = jobs.claim(self.owner, timezone.now(), only)
        if job is None:
            return False
        context = JobContext(job, self._stop)
        with _Heartbeat(context):
            try:
                self._run(context)
            except jobs.LeaseLost as lost:  # also where it was cancelled just as it ended
                log.warning("job_lost", job=job.pk, reason=str(lost))
        return True

    def _run(self, context: JobContext) -> None:
        job = context.job
        try:
            jobs.finish(job, self._function(job)(context, job.payload))
            return
        except Stopped:
            end = partial(jobs.let_go, job)
        except Unavailable as away:
            ready_at = timezone.now() + timedelta(seconds=settings.JOB_RETRY_S)
            end = partial(jobs.postpone, job, str(away), ready_at)
        except GivenUp as reason:
            end = partial(jobs.give_up, job, str(reason))
        except jobs.LeaseLost:
            raise
        except Exception:
            log.exception("job_broke", job=job.pk, kind=job.kind)
            end = partial(jobs.fail, job, traceback.format_exc())
        self._note(job, end)

    def _note(self, job: Job, end: Callable[[], None]) -> None:
        """Where the database takes nothing, as with a full disk, the reason waits until it does."""
        while True:
            try:
                end()
            except OperationalError:
                log.exception("job_end_not_noted", job=job.pk)
                if self._stop.wait(_NOTE_AGAIN_S):
                    return
                close_old_connections()
            else:
                return

    def _function(self, job: Job) -> JobFunction:
        try:
            return self._functions[job.kind]
        except KeyError as error:
            known = ", ".join(sorted(self._functions))
            raise LookupError(f"no job of kind {job.kind!r}; there are {known}") from error


class _Heartbeat:
    """Renews the lease three times in its life, from a thread of its own."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        job = self._context.job
        while not self._done.wait(settings.JOB_LEASE_S / 3):
            try:
                jobs.heartbeat(job, timezone.now())
            except jobs.LeaseLost:
                self._context.mark_lost()
                break
            except DatabaseError:
                log.exception("heartbeat_missed", job=job.pk)
        connection.close()
