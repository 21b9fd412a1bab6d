"""The gateway as a process: ready when it is connected, gone when it is told to go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestrator.brokers import REPOSITORY, RunningBroker, free_port

TIMEOUT_S = 60


def environment(directory: Path, port: int) -> dict[str, str]:
    names = {"TINYFLEET_VAR": str(directory), "TINYFLEET_MQTT_PORT": str(port)}
    return {**os.environ, **names, "DJANGO_SETTINGS_MODULE": "deploy.settings"}


def manage(*arguments: str, env: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=REPOSITORY,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[tuple[RunningBroker, dict[str, str]]]:
    """A migrated installation and its broker, which is not started yet."""
    port = free_port()
    env = environment(tmp_path, port)
    with manage("migrate", "--verbosity", "0", env=env) as migration:
        assert migration.wait(TIMEOUT_S) == 0
    script = "import django; django.setup(); from orchestrator.gateways import broker_files as b; "
    script += "b.write_acl_file(); b.write_password_file()"
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, env=env, check=True)
    yield RunningBroker("amqtt", tmp_path / "broker", port), env


@pytest.mark.slow
def test_it_waits_for_its_broker_says_when_it_is_ready_and_ends_on_sigterm(installed) -> None:
    broker, env = installed
    with manage("run_gateway", env=env) as process:
        lines = iter(process.stdout.readline, "")
        assert any("broker_unreachable" in line for line in lines)
        broker.start()
        assert any(line == "gateway ready\n" for line in lines)
        process.send_signal(signal.SIGTERM)
        rest = list(lines)
        assert process.wait(TIMEOUT_S) == 0
    broker.stop()
    assert rest[-1] == "gateway stopped\n"
    assert not any("Traceback" in line for line in rest)
