"""The power of the client in C is cut in each step of writing; a whole network always runs."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.gateways.broker_files import access_list
from orchestrator.protocol import cose, topics
from orchestrator.protocol.topics import TopicKind
from tests.device.c_client import BUILD, CClient, build, missing_tools
from tests.device.server import MOSQUITTO, SECRETS, BrokerProcess, Server

DEVICE = "c-6"
SEED, SAMPLES, UPDATE_STEPS = 11, 6, 35
FAR_BEYOND = 10_000
pytestmark = [
    pytest.mark.skipif(bool(missing_tools()), reason=missing_tools() or "can be built"),
    pytest.mark.skipif(not MOSQUITTO.exists(), reason="Mosquitto is not installed"),
]


class Scene:
    """A device before an update, or before it must go back, as often as one likes."""

    def __init__(self, client: CClient, server: Server, counter: Path, *, goes_back: bool) -> None:
        self._client = client
        self._server = server
        self.goes_back = goes_back
        self._before = client.flash.with_name("before")
        self._preload = {"LD_PRELOAD": str(counter)}
        self.old = client.running()
        self.new = ""

    def order(self, peer, data: bytes) -> None:
        """What it is to run next; with `goes_back` it runs that already, from a slot gone bad."""
        self.new = hashlib.sha256(data).hexdigest()
        for topic, payload in peer.blocks(data, exponents=(10,)).items():
            self._server.publish(topic, payload)
        now = int(time.time())
        order = peer.manifest(DEVICE, BUILD, data, issued_at=now, expires_at=now + 3600)
        self._server.publish(topics.desired(DEVICE), peer.sign(order))
        if self.goes_back:
            self._run_until(self.new)
            _damage(self._client.flash, self.new)
        shutil.copytree(self._client.flash, self._before)

    @property
    def wanted(self) -> str:
        """What runs in the end."""
        return self.old if self.goes_back else self.new

    def cut_at(self, step: int) -> bool:
        """Cut the power there, look at what is left, and let it end; whether it was cut at all."""
        shutil.rmtree(self._client.flash)
        shutil.copytree(self._before, self._client.flash)
        self._client.start(environment=self._preload | {"CUT_AT_STEP": str(step)})
        was_cut = self._ends(self.wanted)
        if was_cut and not self.goes_back:
            assert self._client.running() in {self.old, self.new}
        self._run_until(self.wanted)
        assert self._client.running() == self.wanted
        return was_cut

    def _ends(self, digest: str) -> bool:
        """Wait until it has lost its power, or runs what it should and is then stopped."""
        self._server.forget()
        until = time.monotonic() + 20
        while self._client.is_up() and time.monotonic() < until:
            state = self._server.last(TopicKind.STATE, DEVICE)
            if state is not None and state.digest == digest:
                return self._client.stop() == -9
            time.sleep(0.02)
        return self._client.ended() == -9

    def _run_until(self, digest: str) -> None:
        self._server.forget()
        self._client.start()
        self._server.wait_for(
            lambda: any(s.digest == digest for s in self._server.said[TopicKind.STATE][DEVICE])
        )
        assert self._client.stop() == 0


def _damage(flash: Path, digest: str) -> None:
    slots = flash.glob("slot?")
    slot = next(s for s in slots if hashlib.sha256(s.read_bytes()).hexdigest() == digest)
    slot.write_bytes(slot.read_bytes()[:-1] + b"\xee")


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> Path:
    """The client, and what is preloaded into it; a sanitizer would not have that before it."""
    folder = build(tmp_path_factory.mktemp("c"))
    source = Path(__file__).with_name("cut_power.c")
    command = ["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(folder / "cut_power.so")]
    subprocess.run([*command, str(source), "-ldl"], check=True, timeout=60)
    return folder


@pytest.fixture(params=[False, True], ids=["update", "revert"])
def scene(request, tmp_path, programs, peer, small_network, other_network) -> Iterator[Scene]:
    (tmp_path / "broker").mkdir()
    broker = BrokerProcess("mosquitto", tmp_path / "broker", access_list())
    broker.start()
    server = Server(broker)
    server.start()
    client = _member(tmp_path, programs, peer, broker)
    now = int(time.time())
    order = peer.manifest(DEVICE, BUILD, small_network, issued_at=now, expires_at=now + 3600)
    for topic, payload in peer.blocks(small_network, exponents=(10,)).items():
        server.publish(topic, payload)
    server.publish(topics.desired(DEVICE), peer.sign(order))
    client.start(f"--token=token-{DEVICE}")
    client.wait_for("installed ok")
    assert client.stop() == 0
    scene = Scene(client, server, programs / "cut_power.so", goes_back=request.param)
    scene.order(peer, other_network)
    yield scene
    client.kill()
    server.stop()
    broker.kill()


def _member(folder: Path, programs: Path, peer, broker: BrokerProcess) -> CClient:
    trust = folder / "trust"
    trust.mkdir()
    (trust / "peer.pem").write_bytes(cose.public_pem(peer.key.public_key()))
    (folder / "password").write_text(SECRETS["enrol"])
    common = {
        "port": str(broker.port),
        "trust": str(trust),
        "enrol-password-file": str(folder / "password"),
    }
    return CClient(programs / "tinyfleet-client", DEVICE, folder / "client", common)


def test_some_steps(scene):
    """Of an update a sample; going back has few steps."""
    steps = random.Random(SEED).sample(range(1, UPDATE_STEPS + 1), SAMPLES)
    was_cut = [scene.cut_at(step) for step in (range(1, 5) if scene.goes_back else steps)]
    assert all(was_cut)
    assert not scene.cut_at(FAR_BEYOND)


@pytest.mark.soak
def test_every_step(scene):
    step = 1
    while scene.cut_at(step):
        step += 1
    assert step > (4 if scene.goes_back else UPDATE_STEPS)
