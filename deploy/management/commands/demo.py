"""Show the whole idea on real data, in seven steps."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from deploy.demo.folder import MARK, NotOurs, fresh_folder
from deploy.logs import log_to_file
from deploy.ports import PortTaken, check_free
from deploy.processes import endpoints

_STARTED_AGAIN = "TINYFLEET_DEMO_FOLDER"
_NOT_OURS = {
    "TINYFLEET_DATABASE",
    "TINYFLEET_GRAPH_URL",
    "TINYFLEET_MLFLOW_URL",
    "TINYFLEET_SIGNER_SOCKET",
    "TINYFLEET_AUTHOR_SIGNER_SOCKET",
}


class Command(BaseCommand):
    help = "Enrol a simulated fleet, train, match, deliver, run, drift, learn; say what came of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="end after the closing table")

    def handle(self, *args: Any, **options: Any) -> None:
        if os.environ.get(_STARTED_AGAIN) != str(settings.VAR_DIR):
            _start_again_in_own_folder()
        try:
            check_free(endpoints())
        except PortTaken as error:
            raise CommandError(str(error)) from error
        log_to_file(settings.VAR_DIR / "logs" / "demo.log")
        call_command("migrate", verbosity=0)
        call_command("load_catalogue", hardware=True, verbosity=0)
        # Imported here, since it loads the learning libraries: not before the folder is ours.
        from deploy.demo.scenario import demonstrate

        if not demonstrate(settings.VAR_DIR, Console(), stay=not options["once"]):
            sys.exit(1)


def _start_again_in_own_folder() -> None:
    """Replace this process by one whose installation is the demonstration's folder.

    Settings are read once, at a process's start, so another folder needs another start.
    """
    own = settings.VAR_DIR if (settings.VAR_DIR / MARK).exists() else settings.VAR_DIR / "demo"
    try:
        folder = fresh_folder(own)
    except NotOurs as error:
        raise CommandError(str(error)) from error
    # A real installation's database, stores and signer are not the demonstration's to touch.
    environment = {key: value for key, value in os.environ.items() if key not in _NOT_OURS}
    environment |= {"TINYFLEET_VAR": str(folder), _STARTED_AGAIN: str(folder)}
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)
