"""One demonstration under way: its processes, its clock, its progress, its findings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.demo.memory import PeakMemory
from deploy.run_state import read_state
from deploy.supervisor import Supervisor
from orchestrator.models import Job, Rollout
from registry.models import Release

POLL_S = 0.25
MEMORY_EVERY_S = 2.0


class StepFailed(Exception):
    """A step did not hold; the text says which expectation, and what was seen instead."""


@dataclass
class Demonstration:
    """Waits for the system, watches its memory and shows what goes on."""

    directory: Path
    progress: Progress
    memory: PeakMemory = field(default_factory=PeakMemory)
    supervisors: list[Supervisor] = field(default_factory=list)
    job: Job = field(init=False)
    release: Release = field(init=False)
    rollout: Rollout = field(init=False)
    devices: list[int] = field(default_factory=list)
    accuracy: dict[str, float] = field(default_factory=dict)
    drifted_of: dict[int, float] = field(default_factory=dict)
    adapted_of: dict[int, float] = field(default_factory=dict)
    findings: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    _memory_at: float = 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the command was given: the process's age, which a re-exec keeps."""
        return time.time() - psutil.Process().create_time()

    def say(self, text: str) -> None:
        """One line above the progress bars."""
        self.progress.console.print(f"[dim]{self.elapsed_s:6.1f} s[/dim]  {text}")

    def wait(self, what: str, done: Callable[[], float], timeout_s: float) -> None:
        """Wait until `done()` reaches 1.0, showing it as a bar.

        Raises StepFailed when the time is up, with how far it came.
        """
        task = self.progress.add_task(what, total=1.0)
        until = time.monotonic() + timeout_s
        fraction = 0.0
        try:
            while time.monotonic() < until:
                self.breathe()
                fraction = done()
                self.progress.update(task, completed=fraction)
                if fraction >= 1.0:
                    return
                time.sleep(POLL_S)
        finally:
            self.progress.remove_task(task)
        raise StepFailed(f"{what}: {fraction:.0%} after {timeout_s:.0f} s; see {self.log_dir}")

    @property
    def log_dir(self) -> Path:
        """Where every process writes its log."""
        logs: Path = settings.VAR_DIR / "logs"
        return logs

    def breathe(self) -> None:
        """Keep the processes running and the memory figure current."""
        if self.interrupted:
            raise KeyboardInterrupt
        for supervisor in self.supervisors:
            supervisor.step()
        if time.monotonic() - self._memory_at > MEMORY_EVERY_S:
            self._memory_at = time.monotonic()
            self.memory.sample()

    def add_processes(self, supervisor: Supervisor) -> None:
        """Start processes that live as long as the demonstration."""
        self.supervisors.append(supervisor)
        supervisor.start()

    def expect(self, holds: bool, seen: str) -> None:
        """Raise StepFailed with what was seen where an expectation does not hold."""
        if not holds:
            raise StepFailed(seen)

    def stop(self) -> None:
        """End all processes, the last started first."""
        for supervisor in reversed(self.supervisors):
            supervisor.stop(grace_s=20.0)


def installation_ready() -> float:
    """The share of `up`'s processes that are ready."""
    state = read_state(settings.RUN_DIR)
    if state is None:
        return 0.0
    conditions = [process["condition"] == "ready" for process in state["processes"]]
    return sum(conditions) / len(conditions)


def live_progress(console: Console) -> Progress:
    """The bars of the demonstration."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
