"""Run every process of the installation until Ctrl-C."""

from __future__ import annotations

import signal
import time
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from rich.console import Console

from deploy.accounts import ensure_administrator
from deploy.ports import PortTaken, check_free
from deploy.processes import endpoints, installation
from deploy.run_state import AlreadyRunning, clear_state, exclusive, write_state
from deploy.supervisor import Condition, ProcessView, Supervisor
from orchestrator.gateways.broker_files import write_acl_file, write_password_file

POLL_S = 0.1


class Command(BaseCommand):
    help = "Run all processes on this machine; restart what dies; stop all on Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
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

    def show(self, views: list[ProcessView]) -> None:
        for view in views:
            if self._seen.get(view.name) != (view.condition, view.restarts):
                self._seen[view.name] = (view.condition, view.restarts)
                place = view.url or view.address
                self._console.print(f"{view.name:<10} {view.condition.value:<20} {place}")
        write_state(settings.RUN_DIR, views)


def _run_until_signalled(supervisor: Supervisor) -> None:
    signalled: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, frame: signalled.append(got))
    try:
        supervisor.start()
        while not signalled:
            supervisor.step()
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
