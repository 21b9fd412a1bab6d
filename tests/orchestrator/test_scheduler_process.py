"""The real command: ready line, one leader of two, take-over after a kill, clean SIGTERM."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_WAIT_S = 60.0

_SCENE = """
import django
django.setup()
from datetime import timedelta
from django.utils import timezone
from tests.orchestrator import rollout_world as world
world.NOW = timezone.now()
world.make_devices(12)
rollout = world.make_rollout(wave_percentages=(50, 100), success_threshold=1.0)
world.rollouts.start_rollout(rollout, world.NOW)
"""
_INSTALL_ALL = """
import django
django.setup()
from django.utils import timezone
from tests.orchestrator import rollout_world as world
now = timezone.now()
world.install(world.sign_pending(now), now)
"""


class Installation:
    """A state folder of its own, and the processes that were started on it."""

    def __init__(self, var: Path) -> None:
        self.var = var
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        self._environment = os.environ | {
            # tests.settings makes each process a folder of its own; these are to share one.
            "DJANGO_SETTINGS_MODULE": "deploy.settings",
            "TINYFLEET_VAR": str(var),
            "TINYFLEET_DATABASE": "",
            "TINYFLEET_GRAPH_PORT": str(port),  # nobody listens there: the graph is down
            "TINYFLEET_TICK_S": "0.05",
        }
        self.running: list[subprocess.Popen[str]] = []

    def run(self, *argv: str) -> None:
        subprocess.run(
            [sys.executable, *argv], cwd=ROOT, env=self._environment, check=True, timeout=_WAIT_S
        )

    def start_scheduler(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_scheduler"],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "scheduler ready\n"
        return process

    def ask(self, query: str) -> list[tuple]:
        with sqlite3.connect(self.var / "tinyfleet.sqlite3", timeout=10) as database:
            rows = database.execute(query).fetchall()
        database.close()
        return rows

    def wait_for(self, query: str, expected: list[tuple]) -> None:
        deadline = time.monotonic() + _WAIT_S
        while (found := self.ask(query)) != expected:
            assert time.monotonic() < deadline, f"{query}: {found}, not {expected}"
            time.sleep(0.05)

    def leader(self) -> int:
        owner = self.ask("SELECT owner FROM orchestrator_lease")[0][0]
        return int(owner.rpartition(":")[2])


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    place = Installation(tmp_path)
    place.run("manage.py", "migrate", "-v0")
    yield place
    for process in place.running:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.slow
def test_two_schedulers_and_a_kill(installation: Installation):
    installation.run("-c", _SCENE)
    first = installation.start_scheduler()
    second = installation.start_scheduler()
    waves = "SELECT status FROM orchestrator_wave ORDER BY number"
    installation.wait_for(waves, [("running",), ("waiting",)])
    installation.run("-c", _INSTALL_ALL)
    installation.wait_for(waves, [("succeeded",), ("running",)])

    by_pid = {process.pid: process for process in (first, second)}
    leader = by_pid.pop(installation.leader())
    [follower] = by_pid.values()
    leader.kill()
    leader.wait(10)
    installation.run("-c", _INSTALL_ALL)
    installation.wait_for("SELECT status FROM orchestrator_rollout", [("completed",)])
    assert installation.leader() == follower.pid
    twice = (
        "SELECT deployment_id, status, count(*) FROM orchestrator_deploymentevent"
        " GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert installation.ask(twice) == []
    confirmed = "SELECT count(*) FROM orchestrator_deploymentevent WHERE status = 'confirmed'"
    assert installation.ask(confirmed) == [(12,)]

    follower.send_signal(signal.SIGTERM)
    assert follower.wait(10) == 0
    assert installation.ask("SELECT owner FROM orchestrator_lease") == [("",)]


def test_one_round_by_hand(installation: Installation):
    installation.run("-c", _SCENE)
    installation.run("manage.py", "run_scheduler", "--once")
    waves = installation.ask("SELECT status FROM orchestrator_wave ORDER BY number")
    assert waves == [("running",), ("waiting",)]
