"""`manage.py train NAME`: have the worker make a family of variants, or make it here."""

from __future__ import annotations

import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import connection
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from orchestrator.models import Job, JobStatus
from orchestrator.services import jobs
from orchestrator.services.job_functions import JOB_FUNCTIONS
from orchestrator.services.working import Worker
from registry.management.writing_command import WritingCommand
from registry.models import Release
from registry.services.networks import RegistrationError, check_name

_POLL_S = 0.5
_ENDED = (JobStatus.SUCCEEDED, JobStatus.FAILED)


class Command(WritingCommand):
    """Enqueues the job and follows it; Ctrl-C stops following, not the job."""

    subject_options = ("name",)
    help = "Train, prune, quantize and register a family of digit classifiers as a new release."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the registered model that gets a new release")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--epochs", type=int, help="for every variant; default: the family's")
        parser.add_argument("--variant", action="append", help="only this one; may be repeated")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--inline", action="store_true", help="in this process, without a worker")
        how.add_argument("--no-wait", action="store_true", help="enqueue the job and end")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit status 1 where the name is none or the job failed, with the reason."""
        try:
            check_name(options["name"], "model")
        except RegistrationError as error:
            raise CommandError(str(error)) from error
        job = jobs.enqueue("train_family", _payload(options))
        if options["no_wait"]:
            self.stdout.write(f"job {job.pk} is enqueued")
            return
        try:
            (_run_beside if options["inline"] else _follow)(job)
        except KeyboardInterrupt as interrupt:
            raise CommandError(f"job {job.pk} is left to the workers") from interrupt
        self._say_outcome(job)

    def _say_outcome(self, job: Job) -> None:
        job.refresh_from_db()
        if job.status != JobStatus.SUCCEEDED:
            reason = (job.error.strip().splitlines() or [job.message or job.status])[-1]
            raise CommandError(f"job {job.pk} did not succeed: {reason}")
        result = job.result or {}
        release = Release.objects.select_related("model").get(pk=result["release"])
        for variant in release.variants.select_related("artifact"):
            accuracy = variant.measurements.filter(metric="accuracy").latest("pk").value
            size = variant.delivered.size_bytes
            self.stdout.write(f"{variant}  {size:,} B  accuracy {accuracy:.4f}")
        if not result["mlflow_versions"]:
            self.stdout.write("MLflow was away; a job will log the release when it is back")


def _payload(options: dict[str, Any]) -> dict[str, Any]:
    chosen = {"epochs": options["epochs"], "variants": options["variant"]}
    given = {key: value for key, value in chosen.items() if value is not None}
    return {"model_name": options["name"], "seed": options["seed"], **given}


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
