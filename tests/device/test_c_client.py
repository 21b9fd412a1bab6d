"""The client in C takes updates from the real server over a real broker."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from orchestrator.protocol import topics
from orchestrator.protocol.manifest import VENDOR_ID, Manifest, class_id
from tests.device.c_client import BOARD, CClient, missing_tools
from tests.device.networks import as_tflite, random_dense
from tests.device.peer import Peer
from tests.device.real_server import WITHIN_S, RealServer, until
from tests.device.server import MOSQUITTO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_tools()), reason=missing_tools() or "can be built"),
    pytest.mark.skipif(not MOSQUITTO.exists(), reason="Mosquitto is not installed"),
]


class Listener:
    """Hears with the gateway's account what devices say."""

    def __init__(self, server: RealServer) -> None:
        self.heard: dict[str, list[Any]] = {}
        self._condition = threading.Condition()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, "listener", protocol=mqtt.MQTTv311)
        password = (server.var / "keys" / "gateway-mqtt").read_text().strip()
        self.client.username_pw_set("gateway", password)
        self.client.on_connect = lambda c, *_: c.subscribe(f"{topics.ROOT}/+/+", 1)
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", server.port)
        self.client.loop_start()

    def wait_for(self, topic: str, **members: Any) -> None:
        """Until the newest, or any newer, message on the topic has these members."""

        def said() -> bool:
            words = self.heard.get(topic, [])
            return any(members.items() <= word.items() for word in words)

        with self._condition:
            assert self._condition.wait_for(said, WITHIN_S), (members, self.heard.get(topic))

    def forget(self) -> None:
        with self._condition:
            self.heard.clear()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_message(self, client, userdata, message) -> None:
        if not message.payload.startswith(b"{"):
            return
        with self._condition:
            word = {k: _hashable(v) for k, v in json.loads(message.payload).items()}
            self.heard.setdefault(message.topic, []).append(word)
            self._condition.notify_all()


def _hashable(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[RealServer]:
    server = RealServer(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture
def listener(server) -> Iterator[Listener]:
    listener = Listener(server)
    yield listener
    listener.stop()


@pytest.fixture(scope="module")
def networks(server, tmp_path_factory) -> dict[int, str]:
    """Variant to digest: one of some 40 blocks of 1 KiB, then small ones."""
    folder = tmp_path_factory.mktemp("networks")
    digests = {}
    for number, hidden in enumerate((500, 16, 20)):
        data = as_tflite(random_dense(hidden, seed=number))
        path = folder / f"network-{number}.tflite"
        path.write_bytes(data)
        said = server.ask("import_model", str(path), "--name", path.stem, "--input", "none")
        variant = int(said.partition("variant ")[2].partition(",")[0])
        digests[variant] = hashlib.sha256(data).hexdigest()
    return digests


def _common(server: RealServer) -> dict[str, str]:
    keys = server.var / "keys"
    return {
        "port": str(server.port),
        "trust": str(keys / "trust"),
        "enrol-password-file": str(keys / "enrol-mqtt"),
    }


@pytest.fixture
def make_client(c_client, server, tmp_path) -> Iterator:
    clients: list[CClient] = []

    def make(device: str) -> CClient:
        clients.append(CClient(c_client, device, tmp_path / device, _common(server)))
        return clients[-1]

    yield make
    for client in clients:
        client.kill()


def test_a_life_from_enrolment_to_an_update_that_was_cut_and_resumed(
    make_client, server, listener, networks
):
    client = make_client("c-1")
    token = server.ask("issue_token", "c-1").strip()
    large, digest = next(iter(networks.items()))
    cut_after = 20
    client.start(f"--token={token}", "--cut-at=block", f"--cut-count={cut_after}")
    client.wait_for("accepted")
    listener.wait_for(topics.state("c-1"), digest=None, slot=None, sequence=0, boot=1)
    listener.wait_for(topics.online("c-1"), online=True, boot=1)
    listener.wait_for(topics.td("c-1"), **{"tf:board": BOARD})

    until("described", lambda: server.ask("device", "c-1")[0]["profile"])
    server.roll_out(large, "c-1")
    assert client.ended() == -9
    first = client.blocks()
    assert len(first) == cut_after
    listener.wait_for(topics.online("c-1"), online=False, boot=1)  # its will

    client.start()
    listener.wait_for(topics.state("c-1"), digest=digest, slot=0, boot=2)
    rest = client.blocks()
    size = (client.flash / "slot0").stat().st_size
    assert sorted(first + rest) == list(range(-(-size // 1024)))
    until("confirmed", lambda: server.newest("c-1")["status"] == "confirmed")

    assert client.stop() == 0
    listener.wait_for(topics.online("c-1"), online=False, boot=2)
    assert hashlib.sha256((client.flash / "slot0").read_bytes()).hexdigest() == digest


@pytest.fixture(scope="module")
def settled(server, c_client, networks, tmp_path_factory) -> Iterator[CClient]:
    """A member that runs the second network; tests leave it without power."""
    common = _common(server)
    client = CClient(c_client, "c-2", tmp_path_factory.mktemp("c-2"), common)
    client.start(f"--token={server.ask('issue_token', 'c-2').strip()}")
    client.wait_for("accepted")
    until("described", lambda: server.ask("device", "c-2")[0]["profile"])
    server.roll_out(list(networks)[1], "c-2")
    client.wait_for("installed ok")
    assert client.stop() == 0
    yield client
    client.kill()


@pytest.mark.parametrize("event", ["accepted", "block", "installing", "verifying", "committed"])
def test_wherever_the_power_is_cut_the_order_is_carried_out(
    settled, server, listener, networks, event
):
    _, *small = networks
    runs = settled.running()
    variant = next(v for v in small if networks[v] != runs)
    settled.start(f"--cut-at={event}")
    settled.wait_for("connected")
    server.roll_out(variant, "c-2")
    assert settled.ended() == -9
    # Until the commit the old network runs, from then on the new one.
    assert settled.running() == (networks[variant] if event == "committed" else runs)
    settled.start()
    listener.wait_for(topics.state("c-2"), digest=networks[variant])
    until("confirmed", lambda: server.newest("c-2")["status"] == "confirmed")
    assert bool(settled.blocks()) == (event in {"accepted", "block"})
    assert settled.stop() == 0


def test_an_order_that_nobody_trusted_signed_is_refused(settled, server, listener):
    stranger = Peer()
    now = int(time.time())
    order = stranger.sign(_an_order(now, sequence=2**40))
    settled.start()
    listener.wait_for(topics.online("c-2"), online=True)
    runs = settled.running()
    listener.client.publish(topics.desired("c-2"), order, 1, retain=True)
    refused = {"status": "rejected", "code": "unknown_key", "deployment": None, "sequence": None}
    listener.wait_for(topics.report("c-2"), **refused)
    assert settled.stop() == 0
    assert settled.running() == runs
    listener.client.publish(topics.desired("c-2"), b"", 1, retain=True).wait_for_publish(WITHIN_S)


def test_a_slot_that_has_gone_bad_is_left_for_the_other(settled, server, listener, networks):
    _, *small = networks
    before = settled.running()
    variant = next(v for v in small if networks[v] != before)
    settled.start()
    settled.wait_for("connected")
    server.roll_out(variant, "c-2", "--soak", "600")
    listener.wait_for(topics.state("c-2"), digest=networks[variant])
    until("installed", lambda: server.newest("c-2")["status"] == "installed")
    assert settled.stop() == 0

    slot = next(p for p in settled.flash.glob("slot?") if _digest(p) == networks[variant])
    damaged = bytearray(slot.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    slot.write_bytes(damaged)
    listener.forget()
    settled.start()
    listener.wait_for(topics.state("c-2"), digest=before)
    listener.wait_for(topics.report("c-2"), status="rolled_back", code="reverted")
    until("rolled back", lambda: server.newest("c-2")["status"] == "rolled_back")
    assert settled.stop() == 0


def test_without_a_token_it_waits_for_an_operator(make_client, server, listener):
    client = make_client("c-3")
    client.start()
    client.wait_for("pending")
    assert not listener.heard.get(topics.state("c-3"))
    server.ask("accept", "c-3")
    listener.wait_for(topics.state("c-3"), digest=None, boot=1)
    assert client.stop() == 0


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _an_order(now: int, sequence: int) -> Manifest:
    return Manifest(
        vendor_id=VENDOR_ID,
        class_id=class_id(BOARD),
        device_id="c-2",
        deployment=uuid.uuid4(),
        sequence=sequence,
        issued_at=now,
        expires_at=now + 3600,
        digest=bytes(32),
        size=1,
        block_exponents=(0,),
        arena_bytes=None,
        operators={},
        runtime="",
        input_shape=(),
        output_shape=(),
        self_test=None,
    )
