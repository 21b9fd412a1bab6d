"""The simulator as its users run it: a process, a real broker, a server on the other side."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_firmware_sim.fleet import Member, default_fleet
from device_firmware_sim.trial import CRASHES_MAX
from orchestrator.gateways.broker_files import access_list
from orchestrator.protocol import cose, topics
from orchestrator.protocol.messages import DeploymentStatus, LearnStatus
from orchestrator.protocol.topics import TopicKind
from tests.device.networks import as_tflite, random_dense
from tests.device.peer import Peer
from tests.device.server import MOSQUITTO, ROOT, SECRETS, BrokerProcess, Server

DEVICES, SEED = 8, 7
FLEET = {member.device_id: member for member in default_fleet(DEVICES, SEED)}
ABLE = {n: member for n, member in FLEET.items() if member.build.arena_budget_bytes > 4096}
USEFUL = {name: member for name, member in ABLE.items() if member.build.sensor("camera")}


@pytest.fixture(params=["mosquitto", "amqtt"])
def broker(request, tmp_path: Path) -> Iterator[BrokerProcess]:
    if request.param == "mosquitto" and not MOSQUITTO.exists():
        pytest.skip("Mosquitto is not installed; the embedded broker is tested")
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = BrokerProcess(request.param, folder, access_list())
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def server(broker: BrokerProcess) -> Iterator[Server]:
    server = Server(broker)
    server.start()
    yield server
    server.stop()


class Simulator:
    """The process, its files, and how to stop it."""

    def __init__(self, folder: Path, peer: Peer, port: int, stream: Path) -> None:
        self.folder = folder
        self.world = folder / "world.json"
        trust = folder / "trust"
        trust.mkdir()
        key = peer.key.public_key()
        (trust / f"{cose.key_id(key).hex()}.pem").write_bytes(cose.public_pem(key))
        (folder / "tokens.json").write_text(json.dumps({name: f"token-{name}" for name in FLEET}))
        (folder / "password").write_text(SECRETS["enrol"] + "\n")
        self.command = [sys.executable, "-m", "device_firmware_sim", "--port", str(port)]
        self.command += ["--devices", str(DEVICES), "--seed", str(SEED), "--stream", str(stream)]
        self.command += ["--tokens", f"{folder}/tokens.json", "--trust", f"{trust}"]
        self.command += ["--state-dir", f"{folder}/state", "--world", f"{self.world}"]
        self.command += ["--enrol-password-file", f"{folder}/password"]
        self.command += ["--samples-per-second", "60", "--samples-per-pack", "30"]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self.command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert "ready" in self._process.stdout.readline()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """The exit status and what was said on stderr."""
        assert self._process is not None
        self._process.send_signal(number)
        _, errors = self._process.communicate(timeout=20)
        return self._process.returncode, errors

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture
def simulator(tmp_path, peer, broker, stream_file) -> Iterator[Simulator]:
    folder = tmp_path / "simulator"
    folder.mkdir()
    simulator = Simulator(folder, peer, broker.port, stream_file)
    yield simulator
    simulator.kill()


def everyone(server: Server, kind: TopicKind) -> bool:
    return all(server.said[kind][name] for name in FLEET)


def order(server: Server, peer: Peer, member: Member, data: bytes, **changes) -> None:
    manifest = peer.manifest(
        member.device_id,
        member.build,
        data,
        issued_at=1_700_000_000,
        expires_at=4_000_000_000,
        **changes,
    )
    server.publish(topics.desired(member.device_id), peer.sign(manifest))


def roll_out(server: Server, peer: Peer, data: bytes) -> None:
    for topic, payload in peer.blocks(data).items():
        server.publish(topic, payload)
    for member in FLEET.values():
        order(server, peer, member, data)


def installed(server: Server, digest: str) -> bool:
    states = [server.last(TopicKind.STATE, name) for name in ABLE]
    return all(state is not None and state.digest == digest for state in states)


def was_rejected(server: Server, device: str) -> bool:
    report = server.last(TopicKind.REPORT, device)
    return report is not None and report.status is DeploymentStatus.REJECTED


def adapted(server: Server, device: str) -> bool:
    word = server.last(TopicKind.LEARN_UPDATE, device)
    pack = server.last(TopicKind.TELEMETRY, device)
    return word is not None and word.status is LearnStatus.FINISHED and pack.accuracy > 0.6


def test_a_life_from_enrolment_to_learning(simulator, server, peer, digit_network):
    simulator.start()
    server.wait_for(lambda: everyone(server, TopicKind.TD) and everyone(server, TopicKind.STATE))
    assert all(server.last(TopicKind.ONLINE, name).online for name in FLEET)

    roll_out(server, peer, digit_network)
    digest = peer.task("x", digit_network).digest
    server.wait_for(lambda: installed(server, digest))
    refused = [n for n in FLEET if server.last(TopicKind.STATE, n).digest is None]
    assert [FLEET[name].build.board for name in refused] == ["bbc-microbit-v1"]
    server.wait_for(lambda: was_rejected(server, refused[0]))
    server.wait_for(lambda: all(len(server.said[TopicKind.TELEMETRY][n]) > 1 for n in USEFUL))

    simulator.world.write_text(json.dumps({"transform": "invert"}))
    learner = next(iter(USEFUL))
    server.wait_for(lambda: server.last(TopicKind.TELEMETRY, learner).accuracy < 0.4)
    task = peer.task(learner, digit_network, issued_at=1_700_000_000, expires_at=4_000_000_000)
    server.publish(topics.learn_task(learner), peer.sign_task(task))
    server.wait_for(lambda: adapted(server, learner))
    assert server.last(TopicKind.LEARN_UPDATE, learner).shape == (25, 10)

    status, errors = simulator.stop()
    assert (status, errors) == (0, "")
    server.wait_for(lambda: not any(server.last(TopicKind.ONLINE, n).online for n in FLEET))


def test_a_killed_simulator_is_missed_and_comes_back_as_it_was(
    simulator, server, peer, digit_network
):
    simulator.start()
    server.wait_for(lambda: everyone(server, TopicKind.STATE))
    roll_out(server, peer, digit_network)
    digest = peer.task("x", digit_network).digest
    server.wait_for(lambda: installed(server, digest))
    simulator.kill()
    server.wait_for(lambda: not any(server.last(TopicKind.ONLINE, n).online for n in FLEET))
    server.forget()
    simulator.start()
    server.wait_for(lambda: installed(server, digest))
    assert {server.last(TopicKind.STATE, name).boot for name in USEFUL} == {2}
    assert not server.said[TopicKind.ENROL]


def test_a_broker_that_lost_everything_is_told_everything_again(
    simulator, server, broker, peer, digit_network
):
    simulator.start()
    server.wait_for(lambda: everyone(server, TopicKind.STATE))
    roll_out(server, peer, digit_network)
    digest = peer.task("x", digit_network).digest
    server.wait_for(lambda: installed(server, digest))
    broker.kill()
    server.forget()
    broker.start()
    server.wait_for(lambda: everyone(server, TopicKind.TD) and everyone(server, TopicKind.STATE))
    assert installed(server, digest)
    assert {server.last(TopicKind.STATE, name).boot for name in FLEET} == {1}


def went_back(server: Server, device: str) -> bool:
    report = server.last(TopicKind.REPORT, device)
    return report is not None and report.status is DeploymentStatus.ROLLED_BACK


def test_a_network_that_crashes_whoever_runs_it_is_taken_back(
    simulator, server, peer, digit_network
):
    bad = as_tflite(random_dense(24, seed=5))
    simulator.command += ["--crash-with", peer.task("x", bad).digest]
    simulator.start()
    server.wait_for(lambda: everyone(server, TopicKind.STATE))
    roll_out(server, peer, digit_network)
    good = peer.task("x", digit_network).digest
    server.wait_for(lambda: installed(server, good))
    roll_out(server, peer, bad)
    server.wait_for(lambda: all(went_back(server, name) for name in USEFUL))
    server.wait_for(lambda: all(server.last(TopicKind.STATE, n).digest == good for n in USEFUL))
    assert {server.last(TopicKind.STATE, name).boot for name in USEFUL} == {1 + CRASHES_MAX}
    assert simulator.stop()[0] == 0


def test_a_token_that_nobody_knows_keeps_a_device_out(simulator, server):
    tokens = {name: f"token-{name}" for name in FLEET}
    stranger = sorted(FLEET)[0]
    (simulator.folder / "tokens.json").write_text(json.dumps(tokens | {stranger: "stolen"}))
    simulator.start()
    server.wait_for(lambda: sum(bool(w) for w in server.said[TopicKind.TD].values()) == DEVICES - 1)
    assert not server.said[TopicKind.TD][stranger]
    assert simulator.stop(signal.SIGINT)[0] == 0


def test_two_simulations_cannot_be_the_same_devices(simulator, server, broker, tmp_path):
    simulator.start()
    second = subprocess.run(simulator.command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert second.returncode == 2
    assert "in use by another simulation" in second.stderr
    assert simulator.stop()[0] == 0


def test_it_waits_for_a_broker_that_is_not_there_yet(simulator, broker):
    broker.kill()
    simulator.start()
    threading.Timer(1.0, broker.start).start()
    server = Server(broker)
    while True:
        try:
            server.start()
            break
        except OSError:
            threading.Event().wait(0.2)
    server.wait_for(lambda: everyone(server, TopicKind.STATE))
    server.stop()
    assert simulator.stop()[0] == 0
