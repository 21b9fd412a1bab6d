"""Boards at a real installation over TLS: who is let in, by what, and who is not."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from orchestrator.protocol import topics
from orchestrator.protocol.certificates import read_certificate
from orchestrator.protocol.encoding import encode_online
from orchestrator.protocol.messages import Online
from tests.device.c_client import CClient, missing_tools
from tests.device.networks import as_tflite, random_dense
from tests.device.real_server import WITHIN_S, until
from tests.device.server import MOSQUITTO, ROOT
from tests.device.tls_server import LIFE, Board, TlsServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


SHORT_LIFE_S = 1800
"""With the hour that a certificate is backdated by, it is to be renewed from its first moment."""


@pytest.fixture(scope="module", params=["mosquitto", "amqtt"])
def server(request, tmp_path_factory) -> Iterator[TlsServer]:
    if request.param == "mosquitto" and not MOSQUITTO.exists():
        pytest.skip("Mosquitto is not installed; the embedded broker is tested")
    server = TlsServer(
        tmp_path_factory.mktemp("server"),
        request.param,
        TINYFLEET_CERTIFICATE_LIFETIME_S=str(SHORT_LIFE_S),
    )
    yield server
    server.stop()


@pytest.fixture
def board(server, tmp_path) -> Board:
    return Board(server, f"board-{tmp_path.name}".lower().replace("_", "-")[-60:], tmp_path)


@pytest.fixture
def clients() -> Iterator[list]:
    opened: list = []
    yield opened
    for client in opened:
        client.close()


def admitted(client) -> bool:
    let_in = client.connect()
    client.close()
    return let_in


def is_a_member(board: Board, credential: Path) -> bool:
    """Whether the broker knows an account that is new to it."""
    return admitted(board.client(credential))


def joined(board: Board) -> Path:
    credential = board.enrol()
    until("the broker knows it", lambda: is_a_member(board, credential))
    return credential


def test_a_board_enrols_at_the_entrance_and_works_with_its_certificate(
    server, board, clients
) -> None:
    credential = joined(board)
    client = board.client(credential)
    clients.append(client)
    assert client.connect()
    client.publish(topics.online(board.device_id), encode_online(Online(True, 1)))
    assert server.ask("device", board.device_id)[0]["status"] == "accepted"
    assert not client.disconnected.is_set()


def test_without_a_certificate_nobody_is_let_in(board) -> None:
    joined(board)
    assert not admitted(board.client())
    assert not admitted(board.client(user=board.device_id)), "its secret counts for nothing here"
    assert not admitted(board.client(user="enrol"))


def test_a_certificate_of_a_foreign_authority_is_refused(server, board, tmp_path) -> None:
    joined(board)
    (tmp_path / "foreign").mkdir()
    foreign = server.issuer(tmp_path / "foreign")
    made = foreign.client_certificate(
        board.device_id, board.key.public_key(), datetime.now(UTC), LIFE
    )
    assert not admitted(board.client(board.credential(made)))


def test_a_certificate_that_has_ended_is_refused(server, board) -> None:
    joined(board)
    long_ago = datetime.now(UTC) - timedelta(days=30)
    made = server.issuer().client_certificate(
        board.device_id, board.key.public_key(), long_ago, LIFE
    )
    assert not admitted(board.client(board.credential(made)))


def test_a_server_certificate_is_none_of_a_clients(server, board) -> None:
    joined(board)
    made = server.issuer().server_certificate(
        [board.device_id], board.key.public_key(), datetime.now(UTC), LIFE
    )
    assert not admitted(board.client(board.credential(made)))


def test_a_certificate_is_of_no_use_under_anothers_client_id(
    server, board, tmp_path, clients
) -> None:
    """It does not end the other's connection."""
    victim = board.client(joined(board))
    clients.append(victim)
    assert victim.connect()
    other = Board(server, f"x{board.device_id}"[:60], tmp_path / "other")
    thief = other.client(joined(other), client_id=board.device_id)
    clients.append(thief)
    thief.connect()
    victim.publish(topics.online(board.device_id), encode_online(Online(True, 1)))
    assert not victim.disconnected.is_set()


def test_the_entrance_serves_enrolment_alone(server, board, clients) -> None:
    credential = joined(board)
    at_entrance = {"port": server.entrance_port}
    assert not admitted(board.client(user=board.device_id, **at_entrance)), "a device's secret"
    assert not admitted(board.client(credential, **at_entrance)), "a certificate without a word"
    asking = board.client(user="enrol", **at_entrance)
    clients.append(asking)
    assert asking.connect()
    asking.publish(topics.online(board.device_id), encode_online(Online(True, 99)))
    asking.publish(topics.report(board.device_id), b"{}")
    assert server.ask("device", board.device_id)[0]["status"] == "accepted"


def test_who_leaves_a_message_at_the_entrance_is_shown_out(server, board, clients) -> None:
    """The embedded broker takes it and forgets it, which a test of its sessions shows."""
    if server.broker != "mosquitto":
        pytest.skip("the embedded broker does not show them out")
    asking = board.client(user="enrol", port=server.entrance_port)
    clients.append(asking)
    assert asking.connect()
    asking.mqtt.publish(topics.enrol("flood"), b"x", 1, retain=True)
    assert asking.disconnected.wait(WITHIN_S)


def test_a_revoked_board_is_cut_off_and_never_let_in_again(server, board, clients) -> None:
    credential = joined(board)
    client = board.client(credential)
    clients.append(client)
    assert client.connect()
    server.ask("revoke", board.device_id)
    assert client.disconnected.wait(WITHIN_S)
    until("its certificate is withdrawn", lambda: serial(credential) in withdrawn(server))
    until("its handshake is refused", lambda: not admitted(board.client(credential)))
    assert not admitted(board.client(credential))


def serial(credential: Path) -> int:
    return read_certificate(_certificate(credential)).serial


def withdrawn(server: TlsServer) -> set[int]:
    revoked = server.var / "broker" / "tls" / "revoked.pem"
    return {entry.serial_number for entry in x509.load_pem_x509_crl(revoked.read_bytes())}


def test_a_board_with_a_new_key_leaves_the_old_ones_certificate_worthless(
    server, board, tmp_path
) -> None:
    old = joined(board)
    successor = Board(server, board.device_id, tmp_path / "successor")
    new = joined(successor)
    until("the old one is refused", lambda: not admitted(board.client(old)))
    assert admitted(successor.client(new))


def test_a_certificate_is_renewed_by_the_same_key_without_a_token(server, board) -> None:
    credential = joined(board)
    first = serial(credential)
    again = board.enrol(token="none")
    assert serial(again) != first
    assert admitted(board.client(again))


def _certificate(credential: Path) -> str:
    text = credential.read_text()
    return text[text.index("-----BEGIN CERTIFICATE") :]


@pytest.fixture
def simulator(server, tmp_path) -> Iterator[tuple[str, Path]]:
    """A simulated device that enrols over TLS: its name, and the folder of its flash."""
    listing = [sys.executable, "-m", "device_firmware_sim", "--devices", "1"]
    shown = subprocess.run([*listing, "--list-devices"], cwd=ROOT, capture_output=True, check=True)
    name = json.loads(shown.stdout)[0]["device"]
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps({name: server.ask("issue_token", name).strip()}))
    keys = server.var / "keys"
    options = {
        "port": server.boards_port,
        "enrol-port": server.entrance_port,
        "tls-ca": server.authority,
        "tokens": tokens,
        "trust": keys / "trust",
        "state-dir": tmp_path / "state",
        "enrol-password-file": keys / "enrol-mqtt",
    }
    process = subprocess.Popen(
        [*listing, *(f"--{key}={value}" for key, value in options.items())],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    yield name, tmp_path / "state" / name
    process.send_signal(signal.SIGTERM)
    assert process.wait(WITHIN_S) == 0


def test_a_simulated_device_takes_a_whole_update_over_tls(server, simulator, tmp_path) -> None:
    name, flash = simulator
    until("it is described", lambda: (server.ask("device", name) or [{}])[0].get("profile"))
    assert stat.S_IMODE((flash / "credential.pem").stat().st_mode) == 0o600
    server.roll_out(a_variant(server, tmp_path, name), name)
    until("the update is confirmed", lambda: server.newest(name)["status"] == "confirmed")


@pytest.mark.skipif(bool(missing_tools()), reason=missing_tools() or "can be built")
def test_the_client_in_c_joins_renews_and_takes_an_update_over_tls(
    server, c_client, tmp_path
) -> None:
    keys = server.var / "keys"
    common = {
        "port": str(server.boards_port),
        "enrol-port": str(server.entrance_port),
        "ca": str(server.authority),
        "trust": str(keys / "trust"),
        "enrol-password-file": str(keys / "enrol-mqtt"),
    }
    client = CClient(c_client, "c-tls", tmp_path, common)
    try:
        client.start(f"--token={server.ask('issue_token', 'c-tls').strip()}")
        client.wait_for("connected")
        first = (client.flash / "certificate.pem").read_text()
        assert client.stop() == 0
        client.start()
        client.wait_for("renews")
        client.wait_for("accepted")
        until(
            "another certificate", lambda: (client.flash / "certificate.pem").read_text() != first
        )
        until("it is described", lambda: server.ask("device", "c-tls")[0]["profile"])
        server.roll_out(a_variant(server, tmp_path, "c-tls"), "c-tls")
        until("the update is confirmed", lambda: server.newest("c-tls")["status"] == "confirmed")
        assert client.stop() == 0
    finally:
        client.kill()


def a_variant(server: TlsServer, folder: Path, name: str) -> int:
    path = folder / "network.tflite"
    path.write_bytes(as_tflite(random_dense(16, seed=7)))
    said = server.ask("import_model", str(path), "--name", f"net-{name}", "--input", "none")
    return int(said.partition("variant ")[2].partition(",")[0])
