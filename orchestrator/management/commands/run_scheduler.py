"""Tick rollouts, drain the graph's outbox, and look after learning."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orchestrator.services.scheduling import Scheduler, parts, run_part


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT. Several may run: one leads, the others wait for its lease."""

    help = "Tick rollouts, drain the graph's outbox, and look after learning."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--interval and --once."""
        parser.add_argument(
            "--interval", type=float, default=settings.TICK_S, help="seconds between two ticks"
        )
        parser.add_argument(
            "--once", action="store_true", help="one tick of every part, then end; 1 if one failed"
        )

    def handle(self, *args: Any, once: bool, interval: float, **options: Any) -> None:
        """Exit status 0 after a signal."""
        if interval <= 0:
            raise CommandError("--interval must be above 0 seconds")
        if once:
            self._once()
            return
        stop = threading.Event()

        def on_signal(number: int, frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGINT, on_signal)
        scheduler = Scheduler(parts(), interval, stop)
        self.stdout.write("scheduler ready")
        self.stdout.flush()
        scheduler.run()

    def _once(self) -> None:
        now = timezone.now()
        failed = [part.name for part in parts() if not run_part(part, now)]
        if failed:
            raise CommandError(f"failed: {', '.join(failed)}; the log says why")
