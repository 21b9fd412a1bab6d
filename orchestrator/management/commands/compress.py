"""`manage.py compress MODEL --for-fleet F`: search until every board of a fleet has a variant."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table

from orchestrator.management.job_console import see_through
from orchestrator.models import Job
from orchestrator.policy.measures import WORDS
from orchestrator.services.compression_orders import RUNTIMES, Order, OrderError, order_compression
from orchestrator.services.compression_outcomes import Outcome, outcome_of
from registry.management.arguments import size
from registry.management.tables import rendered
from registry.management.writing_command import WritingCommand
from registry.models import Release

_OPTIONS = (
    *("task", "ram_bytes", "flash_bytes", "kernels", "runtime", "max_latency_ms", "min_accuracy"),
    *("seed", "trials", "seconds"),
)


LEAST = "a fraction; the least R2 or AUC where its task is judged by that"


class Command(WritingCommand):
    """Enqueues the job and follows it; Ctrl-C stops following, not the job."""

    subject_options = ("model",)
    help = "Search for variants of a model until each board of a fleet has one, or cannot have one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", help="the registered model that gets a new release")
        parser.add_argument("--task", default="", help="how it is trained; default: as it was")
        parser.add_argument("--for-fleet", metavar="F", help="a fleet's slug; all: every device")
        parser.add_argument("--for-board", metavar="B", help="a bare board of the catalogue")
        parser.add_argument("--ram", dest="ram_bytes", type=size, metavar="N", help="e.g. 16KiB")
        parser.add_argument("--flash", dest="flash_bytes", type=size, metavar="N")
        parser.add_argument("--kernels", default="cmsis_nn", help="of a board, or beside --ram")
        parser.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0], help="beside --ram")
        parser.add_argument("--max-latency", dest="max_latency_ms", type=float, metavar="MS")
        parser.add_argument("--min-accuracy", type=float, metavar="A", help=LEAST)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--trials", type=int, help="at most so many")
        parser.add_argument("--seconds", type=float, help="at most so many, of work")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--inline", action="store_true", help="in this process, without a worker")
        how.add_argument("--no-wait", action="store_true", help="enqueue the job and end")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit status 1 where the order cannot be, or the job failed, with the reason."""
        chosen = {name: options[name] for name in _OPTIONS}
        order = Order(
            options["model"], fleet=options["for_fleet"], board=options["for_board"], **chosen
        )
        try:
            job = order_compression(order)
        except OrderError as error:
            raise CommandError(str(error)) from error
        if options["no_wait"]:
            self.stdout.write(f"job {job.pk} is enqueued")
            return
        see_through(job, inline=options["inline"])
        self._say_outcome(job)

    def _say_outcome(self, job: Job) -> None:
        found = outcome_of(job)
        self.stdout.write(found.problem or rendered(_table(found)))
        release = Release.objects.filter(pk=(job.result or {}).get("release") or 0).first()
        if release is None:
            raise CommandError(f"job {job.pk} found nothing to release")
        count = release.variants.count()
        self.stdout.write(f"{release}: {count} variants; job {job.pk}, {job.trials.count()} trials")


def _table(found: Outcome) -> Table:
    measure = "score" if found.measure is None else WORDS[found.measure]
    table = Table("budget", "reach", "variant", measure, "what is missing")
    for each in found.standings:
        score = "" if each.score is None else f"{each.score:.4f}"
        gaps = "; ".join(gap.sentence for gap in each.gaps)
        reach = each.reach.value.replace("_", " ")
        table.add_row(each.budget.name, reach, each.candidate, score, gaps)
    return table
