"""The queue: one worker a job, a killed worker's job runs again, nothing is overwritten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection

from orchestrator.models import Job, JobStatus
from orchestrator.services import jobs, working
from orchestrator.services.working import GivenUp, JobContext, Unavailable, Worker

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def limits(settings) -> None:
    settings.JOB_LEASE_S = 60
    settings.JOB_MAX_ATTEMPTS = 3


def worker(**functions) -> Worker:
    return Worker(functions, threading.Event())


@pytest.mark.django_db
def test_the_oldest_first_and_each_once() -> None:
    first, second = jobs.enqueue("a"), jobs.enqueue("b")
    assert jobs.claim("one", NOW) == first
    assert jobs.claim("two", NOW) == second
    assert jobs.claim("three", NOW) is None


@pytest.mark.django_db
def test_a_silent_workers_job_is_claimed_again() -> None:
    job = jobs.enqueue("a")
    jobs.claim("one", NOW)
    assert jobs.claim("two", NOW + timedelta(seconds=59)) is None
    again = jobs.claim("two", NOW + timedelta(seconds=60))
    assert again == job
    assert (again.owner, again.attempts) == ("two", 2)


@pytest.mark.django_db
def test_a_heartbeat_keeps_the_job() -> None:
    jobs.enqueue("a")
    job = jobs.claim("one", NOW)
    assert job is not None
    jobs.heartbeat(job, NOW + timedelta(seconds=50))
    assert jobs.claim("two", NOW + timedelta(seconds=100)) is None


@pytest.mark.django_db
def test_a_slow_worker_cannot_overwrite_its_heir() -> None:
    jobs.enqueue("a")
    slow = jobs.claim("one", NOW)
    heir = jobs.claim("two", NOW + timedelta(seconds=60))
    assert slow is not None and heir is not None
    for late in (
        lambda: jobs.finish(slow, {"by": "one"}),
        lambda: jobs.fail(slow, "no"),
        lambda: jobs.heartbeat(slow, NOW),
        lambda: jobs.let_go(slow),
    ):
        with pytest.raises(jobs.LeaseLost):
            late()
    jobs.finish(heir, {"by": "two"})
    heir.refresh_from_db()
    assert heir.result == {"by": "two"}


@pytest.mark.django_db
def test_after_the_last_attempt_it_has_failed_and_says_so() -> None:
    job = jobs.enqueue("a")
    now = NOW
    for attempt in range(3):
        assert jobs.claim(f"worker {attempt}", now) == job
        now += timedelta(seconds=60)
    assert jobs.claim("worker 4", now) is None
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "silent 3 times" in job.error


@pytest.mark.django_db(transaction=True)
def test_what_a_job_returns_is_its_result() -> None:
    job = jobs.enqueue("double", {"number": 21})

    def double(context: JobContext, payload: dict) -> int:
        context.report(0.5, "half-way")
        return 2 * payload["number"]

    assert worker(double=double).run_one()
    job.refresh_from_db()
    assert (job.status, job.result, job.progress) == (JobStatus.SUCCEEDED, 42, 1.0)


@pytest.mark.django_db(transaction=True)
def test_what_a_job_raises_is_kept_and_tried_again() -> None:
    job = jobs.enqueue("break")

    def broken(context: JobContext, payload: dict) -> None:
        raise ZeroDivisionError("by nothing")

    runner = worker(**{"break": broken})
    for _ in range(3):
        assert runner.run_one()
    assert not runner.run_one()
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "by nothing" in job.error


@pytest.mark.django_db(transaction=True)
def test_a_job_whose_service_is_away_waits_and_loses_no_attempt(settings) -> None:
    settings.JOB_RETRY_S = 300
    job = jobs.enqueue("log")

    def log(context: JobContext, payload: dict) -> None:
        raise Unavailable("MLflow does not answer")

    runner = worker(log=log)
    assert runner.run_one()
    assert not runner.run_one()
    job.refresh_from_db()
    assert (job.status, job.attempts) == (JobStatus.QUEUED, 0)
    assert job.message == "MLflow does not answer"
    assert jobs.claim("later", job.ready_at) == job


@pytest.mark.django_db(transaction=True)
def test_an_unknown_kind_fails_with_the_known_ones() -> None:
    jobs.enqueue("nonsense")
    runner = worker(train=lambda context, payload: None)
    while runner.run_one():
        continue
    assert "there are train" in Job.objects.get().error


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_asked_to_end_hands_its_job_back() -> None:
    job = jobs.enqueue("long")
    stop = threading.Event()

    def long(context: JobContext, payload: dict) -> None:
        stop.set()
        context.report(0.1, "never noted")

    Worker({"long": long}, stop).run()
    job.refresh_from_db()
    assert (job.status, job.attempts, job.owner) == (JobStatus.QUEUED, 0, "")


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_tells_a_job_that_it_was_given_away(settings) -> None:
    settings.JOB_LEASE_S = 0.05
    job = jobs.enqueue("long")
    told = threading.Event()

    def long(context: JobContext, payload: dict) -> None:
        Job.objects.filter(pk=job.pk).update(owner="another")
        for _ in range(500):
            try:
                context.check()
            except jobs.LeaseLost:
                told.set()
                raise
            threading.Event().wait(0.01)

    worker(long=long).run_one()
    assert told.is_set()
    job.refresh_from_db()
    assert job.owner == "another"


@contextmanager
def full_disk(is_full: Callable[[], bool]) -> Iterator[None]:
    """While it is full the end of a job that somebody owns cannot be noted."""

    def execute(run, sql, params, many, context):
        ends = sql.startswith("UPDATE") and '"finished_at"' in sql and '"owner"' in sql
        if ends and is_full():
            raise OperationalError("database or disk is full")
        return run(sql, params, many, context)

    with connection.execute_wrapper(execute):
        yield


def give_up(context: JobContext, payload: dict) -> None:
    raise GivenUp("the disk is full")


@pytest.mark.django_db(transaction=True)
def test_why_it_failed_is_noted_once_the_database_takes_it(monkeypatch) -> None:
    """As with a full disk: the worker lives on, and the job does not look as if it still ran."""
    monkeypatch.setattr(working, "_NOTE_AGAIN_S", 0.0)
    refused = iter([True, True, False])
    job = jobs.enqueue("a")
    with full_disk(lambda: next(refused)):
        worker(a=give_up).run_one()
    job.refresh_from_db()
    assert (job.status, job.error) == (JobStatus.FAILED, "the disk is full")
    assert next(refused, None) is None


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_to_end_does_not_wait_for_the_database() -> None:
    stop = threading.Event()

    def full() -> bool:
        stop.set()
        return True

    job = jobs.enqueue("a")
    with full_disk(full):
        Worker({"a": give_up}, stop).run_one()
    job.refresh_from_db()
    assert job.status == JobStatus.RUNNING  # until its lease is over
