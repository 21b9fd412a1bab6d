"""Two signers, one server: the author approves a network, and devices that ask for both run it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_firmware_sim.fleet import default_fleet
from orchestrator.protocol import topics
from tests.device.c_client import CClient, missing_tools
from tests.device.networks import as_tflite, random_dense
from tests.device.real_server import RealServer, until
from tests.device.server import MOSQUITTO, ROOT
from tests.device.test_c_client import Listener

C_DEVICE = "c-5"
WITHIN_S = 60.0
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_tools()), reason=missing_tools() or "can be built"),
    pytest.mark.skipif(not MOSQUITTO.exists(), reason="Mosquitto is not installed"),
]


@pytest.fixture(scope="module")
def author(tmp_path_factory) -> Path:
    """The author's own folder: key, ledger and what is approved."""
    return tmp_path_factory.mktemp("author")


@pytest.fixture(scope="module")
def server(author, tmp_path_factory) -> Iterator[RealServer]:
    var = tmp_path_factory.mktemp("server")
    socket = author / "author.sock"
    command = [sys.executable, "-m", "deploy.signer", "--role", "author", "--socket", str(socket)]
    command += ["--directory", str(author), "--trust", str(var / "keys" / "trust" / "author")]
    signer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert signer.stdout.readline() == "signer ready\n"
        server = RealServer(var, TINYFLEET_AUTHOR_SIGNER_SOCKET=str(socket))
        yield server
        server.stop()
    finally:
        signer.terminate()
        signer.communicate(timeout=WITHIN_S)


@pytest.fixture(scope="module")
def listener(server) -> Iterator[Listener]:
    listener = Listener(server)
    yield listener
    listener.stop()


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("networks")
    for number in (0, 1):
        (folder / f"network-{number}.tflite").write_bytes(as_tflite(random_dense(16, seed=number)))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def variants(server, files) -> list[int]:
    said = [
        server.ask("import_model", str(path), "--name", path.stem, "--input", "none")
        for path in files
    ]
    return [int(each.partition("variant ")[2].partition(",")[0]) for each in said]


@pytest.fixture(scope="module")
def devices(server, c_client, tmp_path_factory) -> Iterator[list[str]]:
    """A client in C and a simulated device, members both."""
    folder = tmp_path_factory.mktemp("devices")
    keys = server.var / "keys"
    common = {"port": str(server.port), "trust": str(keys / "trust")}
    common |= {"enrol-password-file": str(keys / "enrol-mqtt")}
    client = CClient(c_client, C_DEVICE, folder / "c", common)
    simulated = default_fleet(1)[0].device_id
    tokens = {name: server.ask("issue_token", name).strip() for name in (C_DEVICE, simulated)}
    (folder / "tokens.json").write_text(json.dumps({simulated: tokens[simulated]}))
    named = common | {"devices": "1", "state-dir": str(folder / "sim")}
    named |= {"tokens": str(folder / "tokens.json")}
    command = [sys.executable, "-m", "device_firmware_sim"]
    command += [f"--{name}={value}" for name, value in named.items()]
    client.start(f"--token={tokens[C_DEVICE]}")
    simulation = subprocess.Popen(command, cwd=ROOT)
    try:
        for name in tokens:
            until("described", lambda name=name: is_described(server, name))
        yield list(tokens)
    finally:
        simulation.terminate()
        simulation.wait(WITHIN_S)
        client.kill()


def is_described(server: RealServer, device: str) -> bool:
    return any(row["profile"] for row in server.ask("device", device))


def test_what_the_author_has_approved_is_run_and_nothing_else(
    server, listener, author, files, variants, devices
):
    approved = hashlib.sha256(files[0].read_bytes()).hexdigest()
    (author / "approved.sha256").write_text(f"{approved}  {files[0].name}\n")
    for name in devices:
        server.roll_out(variants[0], name)
        listener.wait_for(topics.state(name), digest=approved)
        until("confirmed", lambda name=name: server.newest(name)["status"] == "confirmed")
    refused = {name: roll_out(server, variants[1], name) for name in devices}
    for name in devices:
        until("refused", lambda name=name: server.newest(name)["result_code"] == "not_sent")
        assert {word["digest"] for word in listener.heard[topics.state(name)]} <= {None, approved}
    late = hashlib.sha256(files[1].read_bytes()).hexdigest()
    with (author / "approved.sha256").open("a") as approvals:
        approvals.write(f"{late}  {files[1].name}\n")
    for name, rollout in refused.items():
        server.ask("rollout", "retry", rollout)
        listener.wait_for(topics.state(name), digest=late)


def roll_out(server: RealServer, variant: int, device: str) -> str:
    """The number of the rollout."""
    target = ["--variant", str(variant), "--device", device]
    return server.ask("rollout", "create", *target, "--start").split()[1]
