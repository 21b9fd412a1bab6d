"""The client in C over TLS, and beside a broker that comes and goes."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from orchestrator.gateways.broker_files import access_list
from orchestrator.protocol import cose, topics
from orchestrator.protocol.topics import TopicKind
from tests.device.c_client import BUILD, CClient, missing_tools
from tests.device.server import MOSQUITTO, SECRETS, BrokerProcess, Server, free_port

pytestmark = [
    pytest.mark.skipif(bool(missing_tools()), reason=missing_tools() or "can be built"),
    pytest.mark.skipif(not MOSQUITTO.exists(), reason="Mosquitto is not installed"),
]


class Authority:
    """A certificate authority in a folder, and the broker's certificate by it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, folder.name)])
        self.certificate = folder / "ca.pem"
        self._write(self.certificate, self._name, self._key.public_key(), is_authority=True)
        self.broker_certificate, self.broker_key = folder / "broker.pem", folder / "broker.key"
        key = ec.generate_private_key(ec.SECP256R1())
        broker = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
        self._write(self.broker_certificate, broker, key.public_key(), is_authority=False)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.broker_key.write_bytes(pem)

    def _write(self, path: Path, name: x509.Name, key, *, is_authority: bool) -> None:
        now = datetime.datetime.now(datetime.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        made = (
            x509.CertificateBuilder(self._name, name, key, x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path.write_bytes(made.public_bytes(Encoding.PEM))


class BrokerWithTls(BrokerProcess):
    """Mosquitto with one more listener, over TLS."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self._authority = authority
        self.tls_port = free_port()
        super().__init__("mosquitto", folder, access_list())

    def _configuration(self) -> Path:
        path = super()._configuration()
        with path.open("a") as file:
            file.write(
                f"listener {self.tls_port} 127.0.0.1\n"
                f"certfile {self._authority.broker_certificate}\n"
                f"keyfile {self._authority.broker_key}\n"
            )
        return path


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def broker(tmp_path, authority) -> Iterator[BrokerWithTls]:
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = BrokerWithTls(folder, authority)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def server(broker) -> Iterator[Server]:
    server = Server(broker)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(tmp_path, c_client, peer, broker) -> Iterator[CClient]:
    trust = tmp_path / "trust"
    trust.mkdir()
    (trust / "peer.pem").write_bytes(cose.public_pem(peer.key.public_key()))
    (tmp_path / "password").write_text(SECRETS["enrol"])
    common = {"trust": str(trust), "enrol-password-file": str(tmp_path / "password")}
    client = CClient(c_client, "c-5", tmp_path / "client", common | {"token": "token-c-5"})
    yield client
    client.kill()


def test_over_tls_an_acceptance_without_a_certificate_makes_no_member(
    client, server, broker, authority
):
    client.start(*_over_tls(broker, authority))
    server.wait_for(lambda: bool(server.said[TopicKind.ENROL]["c-5"]))
    client.wait_for("without a certificate")
    assert client.stop() == 0
    assert not server.said[TopicKind.STATE]


def test_it_tells_nothing_to_a_broker_with_the_certificate_of_another(
    client, server, broker, tmp_path
):
    stranger = Authority(tmp_path / "stranger")
    client.start(*_over_tls(broker, stranger))
    client.wait_for("lost")
    assert client.stop() == 0
    assert not server.said[TopicKind.ENROL]


def _over_tls(broker: BrokerWithTls, authority: Authority) -> list[str]:
    port = broker.tls_port
    return [f"--port={port}", f"--enrol-port={port}", f"--ca={authority.certificate}"]


def test_it_does_not_send_its_secret_in_the_clear_to_another_machine(client):
    client.start("--broker=192.0.2.1")  # RFC 5737: nobody is there
    assert client.ended() == 2
    assert any("must be TLS" in line for line in client.lines)


def test_a_broker_that_lost_everything_is_told_everything_again(
    client, server, broker, peer, large_network
):
    client.start(f"--port={broker.port}")
    server.wait_for(lambda: bool(server.said[TopicKind.STATE]["c-5"]))
    now = int(time.time())
    order = peer.manifest("c-5", BUILD, large_network, issued_at=now, expires_at=now + 3600)
    server.publish(topics.desired("c-5"), peer.sign(order))
    blocks = list(peer.blocks(large_network, exponents=(10,)).items())
    for topic, payload in blocks[:5]:
        server.publish(topic, payload)
    client.wait_for("block 4")
    broker.kill()
    server.forget()
    broker.start()
    for topic, payload in blocks[5:]:
        server.publish(topic, payload)
    digest = hashlib.sha256(large_network).hexdigest()
    server.wait_for(lambda: bool(server.said[TopicKind.TD]["c-5"]))
    states = server.said[TopicKind.STATE]["c-5"]
    server.wait_for(lambda: any(state.digest == digest for state in states))
    assert sorted(client.blocks()) == list(range(len(blocks)))
    assert client.stop() == 0
