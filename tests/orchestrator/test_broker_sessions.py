"""Sessions of both brokers: nobody takes another's, nothing acknowledged is lost, silence ends."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from orchestrator.protocol import topics
from tests.orchestrator.brokers import (
    MAX_PACKET_BYTES,
    REPOSITORY,
    Client,
    RunningBroker,
    skip_unless_there,
    write_files,
)

SECRETS = {"gateway": "g", "enrol": "e", "pump-1": "one", "pump-2": "two"}
ONLINE = topics.online("pump-1")
REPORT = topics.report("pump-1")


@pytest.fixture(scope="module", params=["amqtt", "mosquitto", "mosquitto-files"])
def broker(request, tmp_path_factory) -> Iterator[RunningBroker]:
    skip_unless_there(request.param)
    directory = tmp_path_factory.mktemp("broker")
    write_files(directory, request.param, SECRETS)
    running = RunningBroker(request.param, directory).start()
    yield running
    assert running.stop(signal.SIGTERM) == 0


@pytest.fixture
def server(connect) -> Client:
    return connect("gateway", SECRETS["gateway"])


@pytest.fixture
def pump(connect) -> Client:
    return connect("pump-1", SECRETS["pump-1"], client_id="pump-1")


def test_a_stranger_with_its_client_id_does_not_end_a_session(broker, pump, server) -> None:
    stranger = Client(broker.port, "pump-1", "wrong", client_id="pump-1")
    assert not stranger.connect()
    stranger.close()
    server.subscribe(REPORT)
    pump.publish(REPORT, b"still here")
    assert server.receive().payload == b"still here"
    assert not pump.disconnected.is_set()


def test_another_user_does_not_inherit_a_session(broker, connect, server) -> None:
    """Messages that wait for one user's lasting session are not given to another's."""
    absent = Client(broker.port, "pump-1", SECRETS["pump-1"], lasting=True)
    assert absent.connect()
    absent.subscribe(topics.desired("pump-1"))
    absent.close()
    server.publish(topics.desired("pump-1"), b"for pump-1 alone")
    thief = Client(broker.port, "pump-2", SECRETS["pump-2"], client_id="pump-1", lasting=True)
    if thief.connect():
        assert broker.kind == "mosquitto-files"
        thief.subscribe(topics.desired("pump-2"))
        server.publish(topics.desired("pump-2"), b"for pump-2")
        assert thief.receive().payload == b"for pump-2"
    thief.close()


def test_messages_wait_for_a_lasting_session_in_their_order(broker, pump, connect) -> None:
    away = Client(broker.port, "gateway", SECRETS["gateway"], client_id="reader", lasting=True)
    assert away.connect()
    away.subscribe(REPORT)
    away.close()
    wanted = [str(number).encode() for number in range(200)]
    for payload in wanted:
        pump.publish(REPORT, payload)
    back = connect("gateway", SECRETS["gateway"], client_id="reader", lasting=True)
    assert [back.receive().payload for _ in wanted] == wanted


def test_a_message_that_was_acknowledged_survives_its_senders_leaving(broker, server) -> None:
    server.subscribe(f"{topics.ROOT}/+/report")
    for number in range(20):
        client = Client(broker.port, "pump-1", SECRETS["pump-1"])
        assert client.connect()
        client.publish(REPORT, str(number).encode())
        client.close()
        assert server.receive().payload == str(number).encode()


def test_the_second_connection_of_a_client_ends_the_first_with_its_will(
    broker, connect, server
) -> None:
    server.subscribe(ONLINE)
    will = {"will_topic": ONLINE, "will": b"gone", "client_id": "pump-1"}
    first = connect("pump-1", SECRETS["pump-1"], **will)
    second = connect("pump-1", SECRETS["pump-1"], **will)
    assert first.disconnected.wait(10)
    second.publish(ONLINE, b"here", retain=True)
    assert [server.receive().payload for _ in range(2)] == [b"gone", b"here"]
    server.publish(ONLINE, b"", retain=True)


def test_a_silent_connection_is_ended_and_its_will_published(broker, server) -> None:
    server.subscribe(ONLINE)
    with socket.create_connection(("127.0.0.1", broker.port)) as raw:
        raw.sendall(_connect_packet(keepalive_s=1))
        assert raw.recv(4)[3] == 0
        assert server.receive().payload == b"gone"
    server.publish(ONLINE, b"", retain=True)


def _connect_packet(keepalive_s: int) -> bytes:
    def text(value: str) -> bytes:
        return len(value).to_bytes(2, "big") + value.encode()

    flags = 0b1110_1110  # user, password, will retained with QoS 1, clean session
    body = text("MQTT") + bytes([4, flags]) + keepalive_s.to_bytes(2, "big")
    body += text("pump-1") + text(ONLINE) + text("gone") + text("pump-1") + text("one")
    return bytes([0x10, len(body)]) + body


def test_who_connects_gets_no_retained_message_it_has_not_asked_for(connect, server) -> None:
    server.publish(topics.desired("pump-1"), b"old", retain=True)
    server.subscribe(topics.desired("pump-1"))
    assert server.receive().retain
    newcomer = connect("pump-1", SECRETS["pump-1"])
    newcomer.subscribe(topics.acked("pump-1"))
    server.publish(topics.acked("pump-1"), b"asked for")
    assert newcomer.receive().payload == b"asked for"
    server.publish(topics.desired("pump-1"), b"", retain=True)


def test_the_shared_account_leaves_nothing_retained(broker, server, connect) -> None:
    """Mosquitto knows no such rule for an account; boards' entrance keeps nothing of anybody."""
    if broker.kind != "amqtt":
        pytest.skip("Mosquitto's rules cannot tell retained messages from others")
    asking = connect("enrol", SECRETS["enrol"], client_id="enrol-pump-9")
    asking.publish(topics.enrol("pump-9"), b"kept?", retain=True)
    server.publish(topics.enrol("pump-8"), b"the server's", retain=True)
    server.subscribe(f"{topics.ROOT}/enrol/+")
    assert server.receive().payload == b"the server's"
    server.publish(topics.enrol("pump-8"), b"", retain=True)


def test_a_retained_message_is_replaced_and_cleared(server, connect) -> None:
    for payload in (b"one", b"two", b""):
        server.publish(topics.desired("pump-1"), payload, retain=True)
        reader = connect("pump-1", SECRETS["pump-1"])
        reader.subscribe(topics.desired("pump-1"))
        reader.subscribe(topics.acked("pump-1"))
        server.publish(topics.acked("pump-1"), b"marker")
        assert reader.receive().payload == (payload or b"marker")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\xff",
        b"\x10\x05\x00\x04MQ",
        b"\x30\x05hello",
        b"\x00",
        bytes(64),
        b"\x10" + (MAX_PACKET_BYTES * 4).to_bytes(3, "big") + bytes(100),
    ],
    ids=["http", "length", "cut", "no-connect", "short", "zeros", "oversized"],
)
def test_garbage_ends_its_own_connection_and_no_other(broker, pump, server, sent) -> None:
    with socket.create_connection(("127.0.0.1", broker.port)) as raw:
        raw.sendall(sent)
        raw.settimeout(10)
        with contextlib.suppress(OSError):  # ended before all was sent
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(100):
                pass
    server.subscribe(REPORT)
    pump.publish(REPORT, b"undisturbed")
    assert server.receive().payload == b"undisturbed"


def test_a_packet_over_the_limit_ends_its_senders_connection_and_no_other(pump, server) -> None:
    server.subscribe(REPORT)
    pump.send(REPORT, bytes(MAX_PACKET_BYTES + 1))
    assert pump.disconnected.wait(10)
    server.publish(REPORT, b"undisturbed")
    assert server.receive().payload == b"undisturbed"


def test_the_embedded_broker_says_that_its_port_is_taken(broker, tmp_path) -> None:
    files = ["--passwords", tmp_path / "passwords", "--acl", tmp_path / "acl"]
    command = [sys.executable, "-m", "deploy.amqtt_broker", "--port", broker.port, *files]
    ended = subprocess.run(
        [str(part) for part in command], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert "cannot start" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_embedded_broker_imports_no_django() -> None:
    script = "import deploy.amqtt_broker, sys; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY).returncode == 0
