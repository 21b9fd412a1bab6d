"""The real command: its ready line, a clean SIGTERM, and a kill that costs nothing but time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.orchestrator.real_workers import ROOT, WorkerInstallation

HEAVY = ("torch", "mlflow", "litert_torch", "ai_edge_quantizer")


def training(workers: WorkerInstallation) -> tuple[Any, ...]:
    """Status, attempts, owner, progress and result of the training."""
    columns = "status, attempts, owner, progress, result"
    return workers.rows(f"SELECT {columns} FROM orchestrator_job WHERE kind = 'train_family'")[0]


def variants(workers: WorkerInstallation) -> list[str]:
    return [name for (name,) in workers.rows("SELECT name FROM registry_variant ORDER BY name")]


def two_variants(workers: WorkerInstallation) -> None:
    chosen = ["--variant", "nano", "--variant", "small", "--epochs", "4"]
    workers.manage("train", "digits", "--no-wait", *chosen)


def test_a_worker_at_rest_has_loaded_nothing_heavy(workers: WorkerInstallation) -> None:
    program = (
        "import django, json, sys; django.setup()\n"
        "import orchestrator.management.commands.run_worker\n"
        "import orchestrator.management.commands.train\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=workers.environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(said.stdout) == []


def test_a_worker_at_rest_ends_on_sigterm(workers: WorkerInstallation) -> None:
    worker = workers.worker()
    worker.terminate()
    assert worker.wait(10) == 0


@pytest.mark.slow
def test_sigterm_hands_the_job_back_and_another_worker_ends_it(workers: WorkerInstallation) -> None:
    two_variants(workers)
    first = workers.worker()
    workers.wait(lambda: training(workers)[3] > 0)
    first.terminate()
    assert first.wait(30) == 0
    assert training(workers)[:3] == ("queued", 0, "")
    workers.worker()
    workers.wait(lambda: training(workers)[0] == "succeeded")
    assert training(workers)[1] == 1
    assert variants(workers) == ["nano", "small"]


@pytest.mark.slow
def test_a_killed_workers_job_runs_again_without_a_double(workers: WorkerInstallation) -> None:
    two_variants(workers)
    first = workers.worker()
    workers.wait(lambda: variants(workers) == ["nano"])
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert training(workers)[0] == "running"
    workers.worker()
    workers.wait(lambda: training(workers)[0] == "succeeded")
    assert training(workers)[1] == 2
    assert variants(workers) == ["nano", "small"]
    assert workers.rows("SELECT count(*) FROM registry_release") == [(1,)]
