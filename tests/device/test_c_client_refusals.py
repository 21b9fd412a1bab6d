"""What a signed order brings that the client in C must not run, over a real broker."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from orchestrator.gateways.broker_files import access_list
from orchestrator.protocol import cose, topics
from orchestrator.protocol.blocks import frame
from orchestrator.protocol.manifest import Manifest
from orchestrator.protocol.messages import DeploymentStatus, ResultCode
from orchestrator.protocol.self_test import GENERATOR, SelfTest
from orchestrator.protocol.topics import TopicKind
from tests.device.c_client import BUILD, CClient, missing_tools
from tests.device.peer import Peer
from tests.device.server import MOSQUITTO, SECRETS, BrokerProcess, Server

DEVICE = "c-4"
FAILED, REJECTED = DeploymentStatus.FAILED, DeploymentStatus.REJECTED
pytestmark = [
    pytest.mark.skipif(bool(missing_tools()), reason=missing_tools() or "can be built"),
    pytest.mark.skipif(not MOSQUITTO.exists(), reason="Mosquitto is not installed"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    broker = BrokerProcess("mosquitto", tmp_path_factory.mktemp("broker"), access_list())
    broker.start()
    server = Server(broker)
    server.start()
    server.port = broker.port
    yield server
    server.stop()
    broker.kill()


@pytest.fixture(scope="module")
def client(server, peer, small_network, c_client, tmp_path_factory) -> Iterator[CClient]:
    """A member that runs the small network."""
    folder = tmp_path_factory.mktemp("client")
    trust = folder / "trust"
    trust.mkdir()
    (trust / "peer.pem").write_bytes(cose.public_pem(peer.key.public_key()))
    (folder / "password").write_text(SECRETS["enrol"] + "\n")
    common = {
        "port": str(server.port),
        "trust": str(trust),
        "enrol-password-file": str(folder / "password"),
    }
    client = CClient(c_client, DEVICE, folder, common)
    client.start(f"--token=token-{DEVICE}")
    offer(server, peer, an_order(peer, small_network), peer.blocks(small_network))
    runs = hashlib.sha256(small_network).hexdigest()
    server.wait_for(lambda: _digest(server) == runs)
    yield client
    assert client.stop() == 0
    assert _digest(server) == runs
    client.kill()


def an_order(peer: Peer, data: bytes, **changes) -> Manifest:
    now = int(time.time())
    changes = {"issued_at": now, "expires_at": now + 3600} | changes
    return peer.manifest(DEVICE, BUILD, data, **changes)


def offer(server: Server, peer: Peer, order: Manifest, blocks: dict[str, bytes]) -> None:
    for topic, payload in blocks.items():
        server.publish(topic, payload)
    server.publish(topics.desired(DEVICE), peer.sign(order))


def _digest(server: Server) -> str | None:
    state = server.last(TopicKind.STATE, DEVICE)
    return state and state.digest


def _torn(blocks: dict[str, bytes]) -> dict[str, bytes]:
    """Every block with a byte that its CRC does not know."""
    return {topic: bytes([payload[0] ^ 1]) + payload[1:] for topic, payload in blocks.items()}


def _forged(blocks: dict[str, bytes]) -> dict[str, bytes]:
    """Every block of other bytes, with the CRC of those."""
    return {topic: frame(bytes(len(payload) - 4)) for topic, payload in blocks.items()}


def expect(server: Server, order: Manifest, status: DeploymentStatus, code: ResultCode) -> None:
    def said() -> bool:
        return any(
            (word.deployment, word.status, word.code) == (order.deployment, status, code)
            for word in server.said[TopicKind.REPORT][DEVICE]
        )

    server.wait_for(said)
    assert _digest(server) != order.digest.hex()


@pytest.mark.parametrize(
    ("damage", "code"), [(_torn, ResultCode.BAD_BLOCK), (_forged, ResultCode.BAD_DIGEST)]
)
def test_blocks_that_are_not_the_artifact(client, server, peer, other_network, damage, code):
    order = an_order(peer, other_network)
    offer(server, peer, order, damage(peer.blocks(other_network)))
    expect(server, order, FAILED, code)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"output_shape": (1, 11)}, REJECTED, ResultCode.WRONG_SHAPE),
        ({"self_test": SelfTest(GENERATOR, 5, b"\x55" * 10, 2)}, FAILED, "self_test_failed"),
        ({"self_test": SelfTest("dice", 5, b"\x55", 255)}, FAILED, "self_test_failed"),
        ({"block_exponents": (0, 12)}, REJECTED, ResultCode.TOO_LARGE),
        ({"arena_bytes": BUILD.arena_budget_bytes + 1}, REJECTED, ResultCode.ARENA_TOO_SMALL),
        ({"operators": {"CONV_2D": 1}}, REJECTED, ResultCode.MISSING_OPERATOR),
        ({"expires_at": 2, "issued_at": 1}, REJECTED, ResultCode.EXPIRED),
        ({"sequence": 1}, REJECTED, ResultCode.OLD_SEQUENCE),
    ],
)
def test_an_order_that_does_not_fit(client, server, peer, other_network, changes, status, code):
    order = an_order(peer, other_network, **changes)
    offer(server, peer, order, peer.blocks(other_network))
    expect(server, order, status, ResultCode(code))


def test_bytes_that_are_no_network(client, server, peer, other_network):
    noise = bytes(range(256)) * 8
    order = replace(
        an_order(peer, other_network), digest=hashlib.sha256(noise).digest(), size=len(noise)
    )
    offer(server, peer, order, peer.blocks(noise))
    expect(server, order, REJECTED, ResultCode.MALFORMED)


def test_an_order_that_is_taken_back_is_not_carried_out(client, server, peer, large_network):
    """Its blocks are not there yet; when they come, nobody asks for them."""
    order = an_order(peer, large_network)
    server.publish(topics.desired(DEVICE), peer.sign(order))
    client.wait_for("downloading ok")
    server.publish(topics.desired(DEVICE), b"")
    client.wait_for("withdrawn")
    for topic, payload in peer.blocks(large_network).items():
        server.publish(topic, payload)
    before = list(client.blocks())
    small = an_order(peer, large_network, arena_bytes=BUILD.arena_budget_bytes + 1)
    server.publish(topics.desired(DEVICE), peer.sign(small))
    expect(server, small, REJECTED, ResultCode.ARENA_TOO_SMALL)
    assert client.blocks() == before
