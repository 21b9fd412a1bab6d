"""The real server as boards meet it, over TLS, and clients that hold what a test gives them."""

from __future__ import annotations

import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from paho.mqtt.enums import CallbackAPIVersion

from deploy import authority
from orchestrator.protocol import topics
from orchestrator.protocol.encoding import (
    decode_enrolment_result,
    encode_enrolment,
    make_verifier,
    sign_enrolment,
)
from orchestrator.protocol.messages import EnrolmentAnswer
from tests.device.real_server import WITHIN_S, RealServer
from tests.device.server import free_port

LIFE = timedelta(days=1)


class TlsServer(RealServer):
    """The installation with listeners for boards on this machine."""

    def __init__(self, var: Path, broker: str, **settings: str) -> None:
        self.broker = broker
        self.boards_port, self.entrance_port = free_port(), free_port()
        super().__init__(
            var,
            TINYFLEET_BROKER=broker,
            TINYFLEET_BIND="127.0.0.1",
            TINYFLEET_MQTTS_PORT=str(self.boards_port),
            TINYFLEET_ENROL_PORT=str(self.entrance_port),
            **settings,
        )
        self.authority = var / "keys" / "authority.pem"

    @property
    def enrol_password(self) -> str:
        return (self.var / "keys" / "enrol-mqtt").read_text()

    def issuer(self, folder: Path | None = None) -> authority.Authority:
        """The installation's own authority, with its key; another one in another folder."""
        return authority.load_or_make(folder or self.var / "signer", datetime.now(UTC))


class Board:
    """A board's key and secret, and how it enrols."""

    def __init__(self, server: TlsServer, device_id: str, folder: Path) -> None:
        self.server, self.device_id, self.folder = server, device_id, folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.secret = f"secret-of-{device_id}"
        folder.mkdir(exist_ok=True)

    def enrol(self, token: str | None = None) -> Path:
        """Ask with a token, by default a fresh one, until accepted; its credential."""
        token = self.server.ask("issue_token", self.device_id).strip() if token is None else token
        verifier = make_verifier(self.secret, self.device_id.ljust(12, "-")[:12].encode())
        asking = self.client(port=self.server.entrance_port, user="enrol")
        assert asking.connect(), "the entrance lets it in"
        asking.subscribe(topics.enrol_result(self.device_id))
        sent = encode_enrolment(sign_enrolment(self.key, self.device_id, token, verifier))
        asking.publish(topics.enrol(self.device_id), sent)
        result = decode_enrolment_result(asking.receive())
        asking.close()
        assert result.answer is EnrolmentAnswer.ACCEPTED, result
        return self.credential(result.certificate.encode())

    def credential(self, certificate: bytes, key: ec.EllipticCurvePrivateKey | None = None) -> Path:
        """A file of key and certificate, as TLS libraries read it."""
        pem = (key or self.key).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = self.folder / f"{self.device_id}.pem"
        path.write_bytes(pem + certificate)
        return path

    def client(
        self, credential: Path | None = None, *, port: int = 0, user: str = "", client_id: str = ""
    ) -> TlsClient:
        """A connection with whatever is given; its own client id, unless another is named."""
        prefix = "enrol-" if user == "enrol" else ""
        client = TlsClient(self.server, client_id or prefix + self.device_id, credential, port)
        if user:
            secret = self.server.enrol_password if user == "enrol" else self.secret
            client.mqtt.username_pw_set(user, secret)
        return client


class TlsClient:
    """A blocking MQTT 3.1.1 client over TLS that trusts the installation's authority alone."""

    def __init__(
        self, server: TlsServer, client_id: str, credential: Path | None, port: int
    ) -> None:
        self._port = port or server.boards_port
        self._condition = threading.Condition()
        self._answer: bool | None = None
        self._granted: list[bool] = []
        self._inbox: list[Any] = []
        self.disconnected = threading.Event()
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        context = ssl.create_default_context(cafile=server.authority)
        if credential is not None:
            context.load_cert_chain(credential)
        self.mqtt.tls_set_context(context)
        self.mqtt.on_connect = lambda c, u, f, reason, p: self._answered(not reason.is_failure)
        self.mqtt.on_disconnect = lambda *_: self._left()
        self.mqtt.on_subscribe = lambda c, u, m, reasons, p: self._heard(self._granted, reasons)
        self.mqtt.on_message = lambda c, u, message: self._heard(self._inbox, [message.payload])

    def connect(self) -> bool:
        """Whether the broker let us in; False too where the handshake failed."""
        try:
            self.mqtt.connect("127.0.0.1", self._port)
        except (ssl.SSLError, ConnectionError):
            return False
        self.mqtt.loop_start()
        with self._condition:
            assert self._condition.wait_for(lambda: self._answer is not None, WITHIN_S)
        return bool(self._answer)

    def subscribe(self, name: str) -> bool:
        """Whether the broker granted it."""
        before = len(self._granted)
        self.mqtt.subscribe(name, 1)
        with self._condition:
            assert self._condition.wait_for(lambda: len(self._granted) > before, WITHIN_S)
        return not self._granted[-1].is_failure

    def publish(self, name: str, payload: bytes) -> None:
        """Returns when the broker has acknowledged it."""
        self.mqtt.publish(name, payload, 1).wait_for_publish(WITHIN_S)

    def receive(self) -> bytes:
        """The next message."""
        with self._condition:
            assert self._condition.wait_for(lambda: self._inbox, WITHIN_S), "nothing came"
            return self._inbox.pop(0)

    def close(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()

    def _answered(self, let_in: bool) -> None:
        with self._condition:
            self._answer = let_in
            self._condition.notify_all()

    def _left(self) -> None:
        self.disconnected.set()
        if self._answer is None:
            self._answered(False)

    def _heard(self, kept: list, what: list) -> None:
        with self._condition:
            kept.extend(what)
            self._condition.notify_all()
