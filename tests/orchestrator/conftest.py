"""Fixtures of the MQTT tests: brokers that really run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.gateways import broker_files
from orchestrator.gateways.broker_files import write_acl_file, write_password_file
from tests.orchestrator.brokers import Client, RunningBroker, mosquitto_binary


@pytest.fixture
def installation(settings, tmp_path: Path) -> Path:
    """A state folder of this test's own."""
    settings.KEYS_DIR = tmp_path / "keys"
    settings.BROKER_DIR = tmp_path / "broker"
    return tmp_path


@pytest.fixture(params=["amqtt", "mosquitto"])
def broker(request, db, installation: Path, settings) -> Iterator[RunningBroker]:
    """A running broker with the files of an installation that has no device yet."""
    if request.param == "mosquitto" and mosquitto_binary() is None:
        pytest.skip("Mosquitto is not installed")
    write_acl_file()
    write_password_file()
    running = RunningBroker(request.param, settings.BROKER_DIR).start()
    settings.MQTT_HOST, settings.MQTT_PORT = "127.0.0.1", running.port
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture
def connect(broker: RunningBroker) -> Iterator:
    """Connects clients and closes them in the end."""
    clients: list[Client] = []

    def connected(user: str, secret: str, **options) -> Client:
        client = Client(broker.port, user, secret, **options)
        clients.append(client)
        assert client.connect()
        return client

    yield connected
    for client in clients:
        client.close()


@pytest.fixture
def server(connect) -> Client:
    """A client with the gateway's account, which may read and write everything."""
    return connect("gateway", broker_files.gateway_password())
