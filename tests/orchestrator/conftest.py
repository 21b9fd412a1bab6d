"""Fixtures that really run: brokers, gateways, signers, MLflow."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.gateways import broker_files
from orchestrator.gateways.broker_files import write_acl_file, write_password_file
from orchestrator.gateways.dynamic_security import write_security_file
from orchestrator.protocol import cose
from orchestrator.services.mqtt_gateway import Gateway, build_gateway
from tests.orchestrator.brokers import (
    REPOSITORY,
    Client,
    RunningBroker,
    connect_when_known,
    skip_unless_there,
    wait_for,
)
from tests.orchestrator.members import known_member
from tests.orchestrator.mlflow_server import MlflowServer
from tests.orchestrator.real_workers import DATABASE, WorkerInstallation

Run = Callable[[Callable[[], bool], str], None]


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A real MLflow server, which takes seconds to start: one for all tests that need one."""
    running = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    try:
        yield running.wait_until_ready()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all tables and nothing in them."""
    made = WorkerInstallation(tmp_path_factory.mktemp("migrated"))
    made.manage("migrate", "--verbosity", "0")
    return made.var / DATABASE


@pytest.fixture
def sizes_task(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    """The task of small sizes in the catalogue, and artifacts of this test's own."""
    from tests.orchestrator import compression_world  # with torch, which takes seconds

    settings.MEDIA_ROOT = tmp_path / "artifacts"
    compression_world.use_task(monkeypatch)


@pytest.fixture
def workers(migrated: Path, tmp_path: Path) -> Iterator[WorkerInstallation]:
    """An installation for real workers, which end with the test."""
    made = WorkerInstallation(tmp_path).migrated(migrated)
    yield made
    made.close()


@pytest.fixture
def installation(settings, tmp_path: Path) -> Path:
    """A state folder of this test's own."""
    settings.KEYS_DIR = tmp_path / "keys"
    settings.BROKER_DIR = tmp_path / "broker"
    return tmp_path


@pytest.fixture(params=["amqtt", "mosquitto"])
def broker(request, db, installation: Path, settings) -> Iterator[RunningBroker]:
    """A running broker with the files of an installation that has no device yet."""
    skip_unless_there(request.param)
    write_acl_file()
    write_password_file()
    if request.param == "mosquitto":
        write_security_file()
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


@pytest.fixture
def gateway(broker: RunningBroker, settings, installation) -> Iterator[Gateway]:
    settings.SIGNER_SOCKET = installation / "signer.sock"
    settings.GATEWAY_POLL_S = 0.02
    running = build_gateway()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def run(gateway: Gateway) -> Run:
    """Lets the gateway work, in the test's own thread, until something has come about."""

    def until(condition: Callable[[], bool], what: str) -> None:
        def stepped() -> bool:
            gateway.step()
            return condition()

        wait_for(stepped, what)

    until(lambda: gateway.epoch > 0, "the gateway is connected")
    return until


@pytest.fixture
def signer(installation, settings) -> Iterator[dict[bytes, cose.PublicKey]]:
    """A running signer; gives the keys that a device would trust."""
    trust = installation / "trust"
    options = ["--socket", installation / "signer.sock", "--directory", installation / "signer"]
    options += ["--trust", trust]
    command = [sys.executable, "-m", "deploy.signer", *map(str, options)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)
    try:
        assert b"signer ready" in process.stdout.readline()
        yield cose.trusted_keys(path.read_bytes() for path in trust.glob("*.pem"))
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture
def pump(gateway, broker) -> Iterator[Client]:
    """An accepted device called pump-1."""
    identity = known_member("pump-1")
    broker_files.write_password_file()
    broker.reload()
    client = connect_when_known(broker, identity.device_id, identity.secret)
    yield client
    client.close()
