"""A rollout over a large fleet: planned, started, left alone, and all that its devices say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.benchmarks.installation import ROOT, environment
from tests.core.oxigraph_server import free_port
from tests.postgresql import postgresql

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

DEVICES = int(os.environ.get("BENCH_DEVICES", "100000"))
SPEAKERS = min(20_000, DEVICES // 4)
WORKERS = {"sqlite": 1, "postgresql": 2}
CHANGES_PER_S = {"sqlite": 5_000, "postgresql": 20_000}
PLAN_LIMIT_S, START_LIMIT_S, IDLE_TICK_LIMIT_MS = 10, 30, 20
DATABASES = {"sqlite": lambda: nullcontext(""), "postgresql": postgresql}


@pytest.mark.parametrize("kind", DATABASES)
def test_a_rollout(record: Callable[..., None], tmp_path: Path, kind: str) -> None:
    numbers = map(str, (DEVICES, SPEAKERS, WORKERS[kind]))
    argv = [sys.executable, "-m", "tests.benchmarks.rollouts_at_scale", *numbers]
    with DATABASES[kind]() as database:
        env = environment(tmp_path, free_port()) | {"TINYFLEET_DATABASE": database}
        said = subprocess.run(argv, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
    figures = json.loads(said.stdout.splitlines()[-1])
    record(**figures, **bars(figures, CHANGES_PER_S[kind]))


def bars(figures: dict[str, float], changes_per_s: int) -> dict[str, bool]:
    """Which of the bars this run reached; on a busy machine times say little, so none is a test."""
    fastest = max(figures["changes_per_s"], figures.get("workers_changes_per_s", 0))
    return {
        "reached_plan": figures["planned_s"] <= PLAN_LIMIT_S,
        "reached_start": figures["started_s"] <= START_LIMIT_S,
        "reached_idle_tick": figures["idle_tick_ms"] <= IDLE_TICK_LIMIT_MS,
        "reached_changes": fastest >= changes_per_s,
    }
