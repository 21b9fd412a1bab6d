"""Show the whole idea on real data, in seven steps."""

from __future__ import annotations

import os
import signal
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from deploy.demo.folder import MARK, NotOurs, fresh_folder
from deploy.demo.run import POLL_S, Demonstration, StepFailed, live_progress

REPORT = "report.json"


class Command(BaseCommand):
    help = "Enrol a simulated fleet, train, match, deliver, run, drift, learn - and say what came."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="end after the closing table")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (settings.VAR_DIR / MARK).exists() or not os.environ.get("TINYFLEET_DEMO"):
            _begin_in_own_folder()
        console = Console()
        call_command("migrate", verbosity=0)
        call_command("load_catalogue", verbosity=0)
        if not _demonstrate(console, stay=not options["once"]):
            sys.exit(1)


def _begin_in_own_folder() -> None:
    """Start again with the demonstration's folder as the installation's.

    Settings are read once, at the start of a process, so the process is replaced.
    """
    try:
        folder = fresh_folder(settings.VAR_DIR / "demo")
    except NotOurs as error:
        raise CommandError(str(error)) from error
    environment = {**os.environ, "TINYFLEET_VAR": str(folder), "TINYFLEET_DEMO": "1"}
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def _demonstrate(console: Console, stay: bool) -> bool:
    # Imported here: these read rows and load the learning libraries, after the folder is ours.
    from deploy.demo import delivery_steps, learning_steps
    from deploy.demo.report import show_addresses, show_answer, write_report

    with live_progress() as progress:
        run = Demonstration(settings.VAR_DIR, progress)
        run.progress.console.print("[bold]TinyFleet[/bold]: what fits what, and why not")
        signal.signal(signal.SIGTERM, lambda number, frame: setattr(run, "interrupted", True))
        try:
            for step in (
                delivery_steps.start,
                delivery_steps.fleet,
                delivery_steps.release,
                delivery_steps.match,
                delivery_steps.update,
                learning_steps.operate,
                learning_steps.learn,
            ):
                step(run)
            held = True
            progress.stop()
            show_answer(run, console)
        except StepFailed as failure:
            held = False
            console.print(f"[bold red]a step did not hold:[/bold red] {failure}")
        except KeyboardInterrupt:
            held, stay = False, False
            console.print("interrupted; stopping every process")
        return _finish(run, console, held, stay, write_report, show_addresses)
