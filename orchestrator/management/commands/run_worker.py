"""Run jobs: training, learning rounds, MLflow."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from orchestrator.services.job_functions import JOB_FUNCTIONS
from orchestrator.services.working import Worker


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT; the job at hand is then handed back at its next step."""

    help = "Run jobs: training, learning rounds, MLflow. Any number may run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="run what waits now, then end")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        stop = threading.Event()

        def on_signal(number: int, frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGINT, on_signal)
        worker = Worker(JOB_FUNCTIONS, stop)
        if once:
            while worker.run_one():
                continue
            return
        self.stdout.write("worker ready")
        self.stdout.flush()
        worker.run()
