"""The order of the steps, and what happens when one does not hold."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from rich.console import Console

from deploy.demo import delivery_steps, learning_steps
from deploy.demo.figures import NothingMeasured
from deploy.demo.report import show_addresses, show_answer, write_report
from deploy.demo.run import POLL_S, Demonstration, StepFailed, live_progress

STEPS = (
    delivery_steps.start,
    delivery_steps.fleet,
    delivery_steps.release,
    delivery_steps.match,
    delivery_steps.update,
    learning_steps.operate,
    learning_steps.learn,
)


def demonstrate(directory: Path, console: Console, stay: bool) -> bool:
    """Run every step; True when all held. With `stay`, keep the installation up until Ctrl-C."""
    console.print("[bold]TinyFleet[/bold]: what fits what, and why not")
    with live_progress(console) as progress:
        run = Demonstration(directory, progress)
        # Set both, since a shell's background job inherits SIGINT as ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, lambda number, frame: setattr(run, "interrupted", True))
        try:
            held = _steps_hold(run, console)
            progress.stop()
            write_report(run, directory / "report.json")
            if held:
                show_answer(run, console)
                show_addresses(console)
            if held and stay:
                _stay(run, console)
        except KeyboardInterrupt:
            held = False
            console.print("interrupted; stopping every process")
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not cut this short
            progress.stop()
            run.stop()
    return held


def _steps_hold(run: Demonstration, console: Console) -> bool:
    for step in STEPS:
        try:
            step(run)
        except (NothingMeasured, StepFailed) as failure:
            console.print(f"[bold red]step {step.__name__} did not hold:[/bold red] {failure}")
            return False
    return True


def _stay(run: Demonstration, console: Console) -> None:
    console.print("Everything stays up; [bold]Ctrl-C[/bold] ends it.")
    try:
        while True:
            run.breathe()
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        console.print("stopping every process")
