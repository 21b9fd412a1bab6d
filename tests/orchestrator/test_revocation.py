"""A device that is shut out is off the broker within two seconds, and does not come back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.protocol import topics
from orchestrator.protocol.enrolment import make_verifier
from tests.orchestrator.brokers import (
    REPOSITORY,
    Client,
    connect_when_known,
    free_port,
    skip_unless_there,
    wait_for,
)

LIMIT_S = 2.0
WITHIN_S = 60.0
pytestmark = pytest.mark.slow


def _environment(var: Path, **settings: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TINYFLEET_")}
    named = {f"TINYFLEET_{name}": value for name, value in settings.items()}
    own = {"DJANGO_SETTINGS_MODULE": "deploy.settings", "TINYFLEET_VAR": str(var)}
    return inherited | own | named


class SmallInstallation:
    """Broker and gateway as processes, and an operator who gives orders."""

    def __init__(self, kind: str, var: Path) -> None:
        self.kind = kind
        self.port = free_port()
        self._secrets: dict[str, str] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.orchestrator.small_broker_installation"],
            cwd=REPOSITORY,
            env=_environment(var, MQTT_PORT=str(self.port), BROKER=kind),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def order(self, *words: str) -> Any:
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def connect(self, device_id: str) -> Client:
        """A new member, connected."""
        secret = self._secrets[device_id] = os.urandom(16).hex()
        self.order("admit", device_id, make_verifier(secret, os.urandom(12)))
        return connect_when_known(self, device_id, secret)

    def lets_in(self, device_id: str) -> bool:
        """Whether the device gets in with the secret that it first had."""
        client = Client(self.port, device_id, self._secrets[device_id])
        try:
            return client.connect()
        finally:
            client.close()

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(WITHIN_S)
        self.process.stdout.close()

    def _answer(self) -> Any:
        line = self.process.stdout.readline()
        assert line, "the installation has ended"
        return json.loads(line)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory) -> Path:
    """A state folder with a database that is up to date."""
    var = tmp_path_factory.mktemp("migrated")
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=REPOSITORY, env=_environment(var), check=True, timeout=WITHIN_S * 2)
    return var


@pytest.fixture(scope="module", params=["amqtt", "mosquitto"])
def installation(request, migrated, tmp_path_factory) -> Iterator[SmallInstallation]:
    skip_unless_there(request.param)
    var = shutil.copytree(migrated, tmp_path_factory.mktemp("installation") / "var")
    running = SmallInstallation(request.param, var)
    yield running
    running.stop()


def moment_of_the_cut(client: Client) -> float:
    """When the device notices, on the machine's monotonic clock."""
    assert client.disconnected.wait(WITHIN_S)
    return client.disconnected_at


def test_the_button_cuts_a_device_off_and_it_stays_out(installation) -> None:
    client, other = installation.connect("pump-1"), installation.connect("pump-2")
    committed = installation.order("revoke", "pump-1")
    assert moment_of_the_cut(client) - committed < LIMIT_S
    assert not installation.lets_in("pump-1")
    assert not other.disconnected.is_set()
    other.close()


def test_a_process_that_dies_after_its_commit_is_made_up_for(installation) -> None:
    client = installation.connect("pump-3")
    committed = installation.order("revoke-and-die", "pump-3")
    assert moment_of_the_cut(client) - committed < LIMIT_S
    wait_for(lambda: not installation.lets_in("pump-3"), "the device stays out")


def test_a_gateway_that_is_away_is_not_waited_for(installation) -> None:
    """The broker's own files are enough to end a connection that was made with a secret."""
    client = installation.connect("pump-4")
    installation.order("freeze", "gateway")
    try:
        committed = installation.order("revoke", "pump-4")
        assert moment_of_the_cut(client) - committed < LIMIT_S
        assert not installation.lets_in("pump-4")
    finally:
        installation.order("thaw", "gateway")


def test_a_broker_that_is_killed_does_not_let_it_back_in(installation) -> None:
    client, other = installation.connect("pump-5"), installation.connect("pump-6")
    installation.order("kill", "broker")
    installation.order("revoke", "pump-5")
    assert client.disconnected.wait(WITHIN_S)

    def other_gets_in() -> bool:
        try:
            return installation.lets_in("pump-6")
        except ConnectionError:
            return False

    wait_for(other_gets_in, "the broker is back", WITHIN_S)
    assert not installation.lets_in("pump-5")
    other.close()


def test_it_comes_back_with_a_new_secret_only(installation) -> None:
    client = installation.connect("pump-7")
    installation.order("revoke", "pump-7")
    moment_of_the_cut(client)
    assert not installation.lets_in("pump-7")
    installation.order("admit-again", "pump-7", make_verifier("another", os.urandom(12)))
    assert not installation.lets_in("pump-7")
    again = connect_when_known(installation, "pump-7", "another")
    assert again.subscribe(topics.desired("pump-7"))
    again.close()
