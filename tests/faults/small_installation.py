"""An installation of its own for a test, prepared for a few devices, run by `manage.py up`."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.installation import ROOT, Installation, stop, wait_for

READY_WITHIN_S = 120.0
NOWHERE = "http://127.0.0.1:9"
"""MLflow takes half a gigabyte and a while to start, and nothing here waits for it."""


class SmallInstallation(Installation):
    """Started by `bring_up`, ended by `take_down`; without `processes` all of them run."""

    def __init__(
        self,
        var: Path,
        broker: str,
        devices: Sequence[str],
        processes: Sequence[str] = (),
        **settings: str,
    ) -> None:
        without_mlflow = {"TINYFLEET_MLFLOW_URL": NOWHERE, "TINYFLEET_MLFLOW_INTERVAL_S": "0"}
        settings = {"TINYFLEET_BROKER": broker} | without_mlflow | settings
        super().__init__(var, **settings)
        self._devices = sorted(devices)
        self._processes = processes
        self._up: subprocess.Popen[Any] | None = None
        self.variants: list[int] = []
        self.tokens: dict[str, str] = {}

    @property
    def folder(self) -> Path:
        """Where it keeps its state."""
        return self.var

    def bring_up(self, networks: Sequence[bytes] = ()) -> None:
        """Register the networks, issue tokens, and start what is to run."""
        self._prepare(networks)
        self._up = self.run("tests.faults.some_of_up", *self._processes)
        wait_for("the installation to be up", self._is_up, READY_WITHIN_S)

    def take_down(self) -> None:
        """End everything; fails where a process outlives its end."""
        if self._up is not None:
            ended = stop(self._up)
            assert ended == (0, []), f"{ended}: {self.output_of('tests.faults.some_of_up')}"

    def abandon(self) -> None:
        """End what may still run after a failure."""
        if self._up is not None and self._up.poll() is None:
            for member in [*psutil.Process(self._up.pid).children(recursive=True), self._up]:
                member.kill()
            self._up.wait()

    def run(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        """Run a module in this installation's environment; its output goes to a file."""
        return self.run_program(module, ["-m", module, *arguments])

    def ask(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the installation's database, read beside it."""
        place = f"file:{self.var}/tinyfleet.sqlite3?mode=ro"
        with closing(sqlite3.connect(place, uri=True, timeout=30)) as database:
            return database.execute(question, values).fetchall()

    def pid(self, name: str) -> int | None:
        """The process of that name as it runs now; None between two lives."""
        pid: int | None = self.processes()[name]["pid"]
        return pid

    def wait_until_ready(self, *names: str) -> None:
        """Until these processes are ready, all of them where none is named."""
        wait_for(f"{names or 'all'} to be ready", lambda: self._are_ready(names), READY_WITHIN_S)

    def kill(self, name: str) -> None:
        """SIGKILL as soon as it is ready, and wait until the supervisor has seen it."""
        self.wait_until_ready(name)
        former = self.pid(name)
        assert former is not None, f"{name} ended by itself"
        os.kill(former, signal.SIGKILL)
        wait_for(f"{name} to be missed", lambda: self.pid(name) != former, READY_WITHIN_S)

    def _prepare(self, networks: Sequence[bytes]) -> None:
        (self.var / "networks").mkdir()
        for number, data in enumerate(networks):
            (self.var / "networks" / f"{number}.tflite").write_bytes(data)
        (self.var / "fleet.json").write_text(json.dumps(self._devices))
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.prepare", str(self.var)],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        made = json.loads(done.stdout.splitlines()[-1])
        self.variants, self.tokens = made["variants"], made["tokens"]

    def _is_up(self) -> bool:
        assert self._up is not None
        assert self._up.poll() is None, self.output_of("tests.faults.some_of_up")
        if not (self.var / "run" / "up.json").exists():
            return False
        return self._are_ready(())

    def _are_ready(self, names: Sequence[str]) -> bool:
        processes = self.processes()
        return all(processes[name]["condition"] == "ready" for name in names or processes)
