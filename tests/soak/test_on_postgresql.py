"""The inventory, the graph, rollouts, telemetry and jobs on PostgreSQL, by the tests of SQLite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgresql import postgresql

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    "tests/registry/test_inventory.py",
    "tests/registry/test_catalogue.py",
    "tests/registry/test_graph_sync.py",
    "tests/registry/test_graph_commands.py",
    "tests/registry/test_matching_service.py",
    "tests/registry/test_things_directory.py",
    "tests/registry/test_rest_resources.py",
    "tests/registry/test_row_sets.py",
    "tests/orchestrator/test_enrolment.py",
    "tests/orchestrator/test_device_filters.py",
    "tests/orchestrator/test_drops.py",
    "tests/orchestrator/test_telemetry.py",
    "tests/orchestrator/test_jobs.py",
    "tests/orchestrator/test_rollout_waves.py",
    "tests/orchestrator/test_rollout_orders.py",
    "tests/orchestrator/test_rolling_back.py",
    "tests/orchestrator/test_deployment_reports.py",
    "tests/orchestrator/test_lifecycle_machine.py",
    "tests/orchestrator/test_learning_rounds.py",
    "tests/orchestrator/test_compress_job.py",
    "tests/orchestrator/test_compress_offers.py",
    "tests/orchestrator/test_compress_orders.py",
    "tests/orchestrator/test_following_mlflow.py",
    "tests/orchestrator/test_alias_rules.py",
]
LIMIT_S = 600.0


@pytest.mark.soak
@pytest.mark.timeout(LIMIT_S + 60.0)
def test_what_holds_on_sqlite_holds_on_postgresql() -> None:
    with postgresql() as url:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--ds=tests.settings_postgresql", "-q", *FILES],
            cwd=ROOT,
            env={**os.environ, "POSTGRESQL_FOR_TESTS": url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    assert done.returncode == 0, done.stdout[-8_000:]
