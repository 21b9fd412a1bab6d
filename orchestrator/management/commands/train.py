"""`manage.py train NAME`: have the worker make a family of variants, or make it here."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from orchestrator.management.job_console import see_through
from orchestrator.models import Job
from orchestrator.services import jobs
from registry.management.writing_command import WritingCommand
from registry.models import Release
from registry.services.networks import RegistrationError, check_name


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
        see_through(job, inline=options["inline"])
        self._say_outcome(job)

    def _say_outcome(self, job: Job) -> None:
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
