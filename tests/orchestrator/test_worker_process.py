"""The real command: its ready line, a clean SIGTERM, and a kill that costs nothing but time."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.orchestrator.mlflow_server import free_port

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "mlflow", "litert_torch", "ai_edge_quantizer")
_WAIT_S = 120.0
_LEASE_S = 3


class Installation:
    """A state folder of its own, and the workers that were started on it."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.workers: list[subprocess.Popen[str]] = []
        self.environment = os.environ | {
            "TINYFLEET_VAR": str(var),
            "TINYFLEET_DATABASE": "",
            "TINYFLEET_MLFLOW_URL": f"http://127.0.0.1:{free_port()}",  # nobody listens there
            "TINYFLEET_NETWORK_TIMEOUT_S": "1",
            "TINYFLEET_JOB_LEASE_S": str(_LEASE_S),
            "DJANGO_SETTINGS_MODULE": "deploy.settings",
        }

    def manage(self, *arguments: str) -> str:
        argv = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            argv, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    def worker(self) -> subprocess.Popen[str]:
        """A worker that has said that it is ready."""
        log = (self.var / f"worker-{len(self.workers)}.log").open("w")
        argv = [sys.executable, "manage.py", "run_worker"]
        process = subprocess.Popen(
            argv, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        log.close()
        self.workers.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "worker ready\n"
        return process

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.var / "tinyfleet.sqlite3", timeout=30)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def wait(self, holds: Callable[[], Any]) -> None:
        end = time.monotonic() + _WAIT_S
        while not holds():
            assert time.monotonic() < end, self.rows("SELECT * FROM orchestrator_job")
            time.sleep(0.05)

    def variants(self) -> list[str]:
        return [name for (name,) in self.rows("SELECT name FROM registry_variant ORDER BY name")]

    def training(self) -> tuple[Any, ...]:
        """Status, attempts, owner, progress and result of the training."""
        columns = "status, attempts, owner, progress, result"
        query = f"SELECT {columns} FROM orchestrator_job WHERE kind = 'train_family'"
        return self.rows(query)[0]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    made.manage("migrate", "--verbosity", "0")
    yield made
    for worker in made.workers:
        if worker.poll() is None:
            worker.kill()
        worker.wait()
        assert worker.stdout is not None
        worker.stdout.close()


def two_variants(installation: Installation) -> None:
    chosen = ["--variant", "nano", "--variant", "small", "--epochs", "4"]
    installation.manage("train", "digits", "--no-wait", *chosen)


def test_a_worker_at_rest_has_loaded_nothing_heavy(installation: Installation) -> None:
    program = (
        "import django, json, sys; django.setup()\n"
        "import orchestrator.management.commands.run_worker\n"
        "import orchestrator.management.commands.train\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=installation.environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(said.stdout) == []


def test_a_worker_at_rest_ends_on_sigterm(installation: Installation) -> None:
    worker = installation.worker()
    worker.terminate()
    assert worker.wait(10) == 0


@pytest.mark.slow
def test_sigterm_hands_the_job_back_and_another_worker_ends_it(installation: Installation) -> None:
    two_variants(installation)
    first = installation.worker()
    installation.wait(lambda: installation.training()[3] > 0)
    first.terminate()
    assert first.wait(30) == 0
    assert installation.training()[:3] == ("queued", 0, "")
    installation.worker()
    installation.wait(lambda: installation.training()[0] == "succeeded")
    assert installation.training()[1] == 1
    assert installation.variants() == ["nano", "small"]


@pytest.mark.slow
def test_a_killed_workers_job_runs_again_without_a_double(installation: Installation) -> None:
    two_variants(installation)
    first = installation.worker()
    installation.wait(lambda: installation.variants() == ["nano"])
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert installation.training()[0] == "running"
    installation.worker()
    installation.wait(lambda: installation.training()[0] == "succeeded")
    assert installation.training()[1] == 2
    assert installation.variants() == ["nano", "small"]
    assert installation.rows("SELECT count(*) FROM registry_release") == [(1,)]
