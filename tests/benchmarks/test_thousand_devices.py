"""A thousand simulated devices in one process, each with a real network in its flash."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from device_firmware_sim.builds import Build
from device_firmware_sim.fleet import TINY_BOARD, default_fleet
from device_firmware_sim.measured import measured_arenas
from device_firmware_sim.runtime import load_network
from orchestrator.gateways.broker_files import access_list
from orchestrator.protocol import cose, topics
from orchestrator.protocol.topics import TopicKind
from tests.device.networks import as_tflite, random_dense
from tests.device.peer import Peer
from tests.device.server import MOSQUITTO, ROOT, SECRETS, BrokerProcess, Server

pytestmark = pytest.mark.bench

DEVICES = int(os.environ.get("BENCH_SIMULATED_DEVICES", "1000"))
LIMIT_BYTES = 10**9
SEED = 7
WITHIN_S = 600.0
ORDERS_FROM, ORDERS_TO = 1_700_000_000, 4_000_000_000


@dataclass(frozen=True)
class Networks:
    """A keyword spotter of ARM's (47,616 B, 22,928 B of arena) and digit readers for the rest.

    With `all_different` every device has a digit reader that no other has: nothing can be shared.
    """

    keywords: bytes
    all_different: bool

    def of(self, build: Build, seed: int) -> bytes:
        """What a device of this build can run; the keyword spotter where that fits."""
        if self.all_different:
            return as_tflite(random_dense(24, seed=seed))
        digest = hashlib.sha256(self.keywords).hexdigest()
        arena = measured_arenas("cmsis_nn")[digest]
        operators = load_network(self.keywords).operators.keys()
        fits = len(self.keywords) <= build.slot_bytes and arena <= build.arena_budget_bytes
        if fits and operators <= build.operators.keys():
            return self.keywords
        return as_tflite(random_dense(24, seed=1))


class Fleet:
    """The process of all devices, and what they are to run."""

    def __init__(self, folder: Path, peer: Peer, broker: BrokerProcess, stream: Path) -> None:
        self.members = {member.device_id: member for member in default_fleet(DEVICES, SEED)}
        trust = folder / "trust"
        trust.mkdir()
        (trust / "signer.pem").write_bytes(cose.public_pem(peer.key.public_key()))
        (folder / "tokens.json").write_text(json.dumps({n: f"token-{n}" for n in self.members}))
        (folder / "password").write_text(SECRETS["enrol"])
        options = {
            "port": broker.port,
            "devices": DEVICES,
            "seed": SEED,
            "stream": stream,
            "tokens": folder / "tokens.json",
            "trust": trust,
            "state-dir": folder / "state",
            "enrol-password-file": folder / "password",
            "samples-per-second": 1,
            "samples-per-pack": 20,
        }
        given = [f"--{name}={value}" for name, value in options.items()]
        command = [sys.executable, "-m", "device_firmware_sim", *given]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def able(self) -> list[str]:
        """All but the boards that are too small for any network."""
        return [n for n, member in self.members.items() if member.build.board != TINY_BOARD]

    def memory_bytes(self) -> Mapping[str, int]:
        """Of the process: the most that it ever held in memory, and what it holds now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = dict(re.findall(r"(VmHWM|VmRSS):\s+(\d+) kB", status))
        return {name: int(count) * 1024 for name, count in found.items()}

    def processor_s(self) -> float:
        """Processor time so far, of user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=60)


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    if not MOSQUITTO.exists():
        pytest.skip("Mosquitto is not installed")
    (tmp_path / "broker").mkdir()
    broker = BrokerProcess("mosquitto", tmp_path / "broker", access_list())
    broker.start()
    server = Server(broker)
    server.start()
    server.broker = broker
    yield server
    server.stop()
    broker.kill()


@pytest.fixture(params=[False, True], ids=["two-networks", "all-different"])
def networks(request, data_dir) -> Networks:
    keywords = (data_dir / "ren/models/ARM_DS_CNN_Small_.tflite").read_bytes()
    return Networks(keywords, request.param)


@pytest.fixture
def stream_file(tmp_path) -> Path:
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    path = tmp_path / "digits.npz"
    np.savez(path, images=(digits.images / 16).astype(np.float32), labels=digits.target)
    return path


def roll_out(server: Server, peer: Peer, fleet: Fleet, networks: Networks) -> dict[str, str]:
    """Publish every network once and an order to each device; what each is to run."""
    wanted: dict[str, str] = {}
    for seed, name in enumerate(fleet.able()):
        build = fleet.members[name].build
        data = networks.of(build, seed)
        digest = hashlib.sha256(data).hexdigest()
        if digest not in wanted.values():
            for topic, payload in peer.blocks(data).items():
                server.publish(topic, payload)
        wanted[name] = digest
        order = peer.manifest(name, build, data, issued_at=ORDERS_FROM, expires_at=ORDERS_TO)
        server.publish(topics.desired(name), peer.sign(order))
    return wanted


def test_a_thousand_devices_in_one_process(
    server, peer, networks, stream_file, tmp_path, record
) -> None:
    fleet = Fleet(tmp_path, peer, server.broker, stream_file)
    said = server.said
    try:
        began = time.monotonic()
        server.wait_for(lambda: len(said[TopicKind.STATE]) == DEVICES, WITHIN_S)
        joined_s, joined = time.monotonic() - began, fleet.memory_bytes()

        began = time.monotonic()
        wanted = roll_out(server, peer, fleet, networks)
        server.wait_for(lambda: all(_runs(server, *each) for each in wanted.items()), WITHIN_S)
        installed_s = time.monotonic() - began

        reading = [n for n in wanted if _reads_digits(fleet, networks, n, wanted[n])]
        server.wait_for(lambda: all(said[TopicKind.TELEMETRY][n] for n in reading), WITHIN_S)
        memory = fleet.memory_bytes()
        record(
            devices=DEVICES,
            devices_with_a_network=len(wanted),
            networks=len(set(wanted.values())),
            devices_that_sample=len(reading),
            most_bytes=memory["VmHWM"],
            after_joining_bytes=joined["VmRSS"],
            limit_bytes=LIMIT_BYTES,
            ratio=memory["VmHWM"] / LIMIT_BYTES,
            joined_s=joined_s,
            installed_s=installed_s,
            processor_s=fleet.processor_s(),
            load=os.getloadavg()[0],
        )
        assert memory["VmHWM"] < LIMIT_BYTES
    finally:
        fleet.stop()


def _reads_digits(fleet: Fleet, networks: Networks, name: str, digest: str) -> bool:
    """It has a camera, and a network that takes what the camera gives."""
    has_camera = fleet.members[name].build.sensor("camera") is not None
    return has_camera and digest != hashlib.sha256(networks.keywords).hexdigest()


def _runs(server: Server, name: str, digest: str) -> bool:
    state = server.last(TopicKind.STATE, name)
    return state is not None and state.digest == digest
