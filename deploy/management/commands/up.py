"""Run every process of the installation until Ctrl-C."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from rich.console import Console

from deploy import boards, server_certificate
from deploy.accounts import ensure_administrator
from deploy.environment import bool_setting
from deploy.ports import PortTaken, check_free
from deploy.processes import endpoints, installation
from deploy.run_state import AlreadyRunning, clear_state, exclusive, write_state
from deploy.supervisor import Condition, ProcessView, Supervisor
from orchestrator.gateways.broker_files import write_acl_file, write_password_file

POLL_S = 0.1
RENEW_EVERY_S = 3600.0


class Command(BaseCommand):
    help = "Run all processes on this machine; restart what dies; stop all on Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--bind",
            metavar="ADDRESS",
            help="serve real boards there, over TLS with client certificates (TINYFLEET_BIND)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["bind"]:
            _serve_boards_at(options["bind"])
        try:
            with exclusive(settings.RUN_DIR):
                self._run()
        except (AlreadyRunning, ImproperlyConfigured, PortTaken) as error:
            raise CommandError(str(error)) from error

    def _run(self) -> None:
        _require_migrations()
        settings.BROKER_DIR.mkdir(parents=True, exist_ok=True)
        write_acl_file()
        write_password_file()
        login = ensure_administrator(settings.KEYS_DIR)
        check_free(endpoints())
        console = Console()
        console.print(f"sign in as {login.username}, password in {login.password_file}")
        for sentence in boards.exposed():
            console.print(sentence)
        board = _Board(console)
        logs = settings.VAR_DIR / "logs"
        specs = installation()
        for spec in specs:
            if spec.remark:
                console.print(f"{spec.name}: {spec.remark}")
        _run_until_signalled(Supervisor(specs, logs, on_change=board.show))


class _Board:
    """Prints each change of condition once, and keeps the state file."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[str, tuple[Condition, int]] = {}
        self._told_of_boards = False

    def show(self, views: list[ProcessView]) -> None:
        for view in views:
            if self._seen.get(view.name) != (view.condition, view.restarts):
                self._seen[view.name] = (view.condition, view.restarts)
                place = view.url or view.address
                self._console.print(f"{view.name:<10} {view.condition.value:<20} {place}")
        self._tell_of_boards(views)
        write_state(settings.RUN_DIR, views)

    def _tell_of_boards(self, views: list[ProcessView]) -> None:
        """Once, when the broker listens: before that there may be no authority yet."""
        broker_ready = any(v.name == "broker" and v.condition is Condition.READY for v in views)
        if settings.BIND and broker_ready and not self._told_of_boards:
            self._told_of_boards = True
            for line in boards.instructions():
                self._console.print(line, soft_wrap=True)


def _serve_boards_at(address: str) -> None:
    """For this process, and by its environment for all that it starts."""
    os.environ["TINYFLEET_BIND"] = settings.BIND = address
    settings.ISSUE_CERTIFICATES = bool_setting("TINYFLEET_ISSUE_CERTIFICATES", True)


def _run_until_signalled(supervisor: Supervisor) -> None:
    signalled: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, frame: signalled.append(got))
    try:
        supervisor.start()
        renew_at = time.monotonic() + RENEW_EVERY_S
        while not signalled:
            supervisor.step()
            if settings.BIND and time.monotonic() >= renew_at:
                server_certificate.renew(timezone.now())
                renew_at = time.monotonic() + RENEW_EVERY_S
            time.sleep(POLL_S)
    finally:
        # A second Ctrl-C must not leave processes behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        supervisor.stop()
        clear_state(settings.RUN_DIR)


def _require_migrations() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CommandError("the database is not up to date; run: python manage.py migrate")
    connection.close()
