"""Worker processes as `up` starts them, on a state folder and a database of their own."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.orchestrator.mlflow_server import free_port

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "tinyfleet.sqlite3"
_WAIT_S = 600.0
_LEASE_S = 3
_MANAGE = ("manage.py",)


class WorkerInstallation:
    """A state folder, and the workers that were started on it.

    `program` is what Python runs in place of `manage.py`; with `mlflow` empty there is no server.
    """

    def __init__(self, var: Path, program: Sequence[str] = _MANAGE, mlflow: str = "") -> None:
        self.var = var
        self.program = program
        self.workers: list[subprocess.Popen[str]] = []
        self.environment = os.environ | {
            "TINYFLEET_VAR": str(var),
            "TINYFLEET_DATABASE": "",
            "TINYFLEET_MLFLOW_URL": mlflow or f"http://127.0.0.1:{free_port()}",
            "TINYFLEET_NETWORK_TIMEOUT_S": "20" if mlflow else "1",
            "TINYFLEET_JOB_LEASE_S": str(_LEASE_S),
            "DJANGO_SETTINGS_MODULE": "deploy.settings",
        }

    def migrated(self, template: Path) -> WorkerInstallation:
        """With a copy of a database whose tables are made: to make them takes seconds."""
        shutil.copy(template, self.var / DATABASE)
        return self

    def manage(self, *arguments: str) -> str:
        """What a command printed; it must succeed."""
        argv = [sys.executable, *self.program, *arguments]
        done = subprocess.run(
            argv, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    def worker(self, **environment: str) -> subprocess.Popen[str]:
        """A worker that has said that it is ready."""
        log = (self.var / f"worker-{len(self.workers)}.log").open("w")
        process = subprocess.Popen(
            [sys.executable, *self.program, "run_worker"],
            cwd=ROOT,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        log.close()
        self.workers.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "worker ready\n"
        return process

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What the database holds now."""
        with closing(sqlite3.connect(self.var / DATABASE, timeout=30)) as connection:
            return connection.execute(query, parameters).fetchall()

    def wait(self, holds: Callable[[], Any]) -> None:
        """Until it holds."""
        end = time.monotonic() + _WAIT_S
        while not holds():
            assert time.monotonic() < end, self.rows("SELECT * FROM orchestrator_job")
            time.sleep(0.05)

    def close(self) -> None:
        """End what still runs."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
            assert worker.stdout is not None
            worker.stdout.close()
