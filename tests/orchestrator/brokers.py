"""Real brokers and a plain client for tests.

`mosquitto` is Mosquitto with its dynamic-security plug-in, `mosquitto-files` without.
"""

from __future__ import annotations

import itertools
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import paho.mqtt.client as mqtt
import pytest

from deploy import mosquitto
from orchestrator.gateways import broker_files, dynamic_security
from orchestrator.protocol.accounts import ENROL_USER, GATEWAY_USER
from orchestrator.protocol.enrolment import make_verifier
from orchestrator.protocol.topics import ENROLLING_PREFIX

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_S = 10.0
MAX_PACKET_BYTES = 256 * 1024
_NUMBERS = itertools.count(1)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def mosquitto_binary() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def skip_unless_there(kind: str) -> None:
    """Skip where this machine has not what a kind of broker needs."""
    if kind != "amqtt" and mosquitto_binary() is None:
        pytest.skip("Mosquitto is not installed")
    if kind == "mosquitto" and mosquitto.plugin() is None:
        pytest.skip("Mosquitto's dynamic-security plug-in is not installed")


def write_files(directory: Path, kind: str, secrets: dict[str, str]) -> None:
    """What a broker of this kind reads, for accounts with these secrets."""
    lines = [f"{u}:{make_verifier(s, os.urandom(12))}" for u, s in secrets.items()]
    (directory / "passwords").write_text("\n".join(lines))
    (directory / "acl").write_text(broker_files.access_list())
    if kind == "mosquitto":
        devices = [user for user in secrets if user not in {GATEWAY_USER, ENROL_USER}]
        (directory / "dynamic-security.json").write_text(dynamic_security.security_text(devices))


class RunningBroker:
    """One broker process on a port of its own, with the files in `directory`."""

    def __init__(self, kind: str, directory: Path, port: int | None = None) -> None:
        self.kind = kind
        self.directory = directory
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> RunningBroker:
        self.process = subprocess.Popen(self._command(), cwd=REPOSITORY, stdout=subprocess.PIPE)
        wait_for(self._accepts, "the broker listens")
        return self

    def reload(self) -> None:
        """What the supervisor does when the password file has changed."""
        if self.kind != "amqtt":
            self.process.send_signal(signal.SIGHUP)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        status = self.process.wait(TIMEOUT_S)
        self.process.stdout.close()
        return status

    def _command(self) -> list[str]:
        if self.kind != "amqtt":
            return [mosquitto_binary(), "-c", str(self._configuration())]
        files = ["--passwords", self.directory / "passwords", "--acl", self.directory / "acl"]
        limit = ["--max-packet-bytes", MAX_PACKET_BYTES]
        command = [sys.executable, "-m", "deploy.amqtt_broker", "--port", self.port, *files, *limit]
        return [str(part) for part in command]

    def _configuration(self) -> Path:
        template = REPOSITORY / "deploy" / "broker" / "mosquitto.conf.template"
        path = self.directory / "mosquitto.conf"
        names = {"host": "127.0.0.1", "port": self.port, "directory": self.directory}
        security = self.directory / "dynamic-security.json"
        plugin = mosquitto.plugin() if security.exists() else None
        names["plugin"] = mosquitto.plugin_lines(plugin, security)
        path.write_text(template.read_text().format(max_message_bytes=MAX_PACKET_BYTES, **names))
        return path

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


def proper_client_id(user: str) -> str:
    """One that the account may use; every observer with the server's account has its own."""
    if user == GATEWAY_USER:
        return f"observer-{next(_NUMBERS)}"
    return f"{ENROLLING_PREFIX}new-{next(_NUMBERS)}" if user == ENROL_USER else user


@dataclass(frozen=True)
class Received:
    topic: str
    payload: bytes
    retain: bool


class Client:
    """A blocking MQTT 3.1.1 client: every call returns when the broker has answered."""

    def __init__(
        self, port: int, user: str, secret: str, client_id: str | None = None, **will
    ) -> None:
        self.inbox: queue.Queue[Received] = queue.Queue()
        self._answers: queue.Queue = queue.Queue()
        self.disconnected = threading.Event()
        self.disconnected_at = 0.0
        client_id = proper_client_id(user) if client_id is None else client_id
        keep = {"clean_session": not will.pop("lasting", False), "protocol": mqtt.MQTTv311}
        self._mqtt = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id, reconnect_on_failure=False, **keep
        )
        self._mqtt.username_pw_set(user, secret)
        self._mqtt.on_connect = lambda c, u, f, reason, p: self._answers.put(reason)
        self._mqtt.on_subscribe = lambda c, u, mid, reasons, p: self._answers.put(reasons)
        self._mqtt.on_disconnect = lambda *details: self._note_the_end()
        self._mqtt.on_message = self._on_message
        if will:
            retain = will.get("will_retain", True)
            self._mqtt.will_set(will["will_topic"], will["will"], qos=1, retain=retain)
        self._port = port

    def connect(self, keepalive: int = 60) -> bool:
        """Whether the broker let us in."""
        self._mqtt.connect("127.0.0.1", self._port, keepalive)
        self._mqtt.loop_start()
        return not self._answers.get(timeout=TIMEOUT_S).is_failure

    def subscribe(self, a_filter: str) -> bool:
        """Whether the broker granted it."""
        self._mqtt.subscribe(a_filter, qos=1)
        return not self._answers.get(timeout=TIMEOUT_S)[0].is_failure

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Returns when the broker has acknowledged it."""
        self._mqtt.publish(topic, payload, qos=1, retain=retain).wait_for_publish(TIMEOUT_S)

    def send(self, topic: str, payload: bytes) -> None:
        """Publish without waiting for an answer."""
        self._mqtt.publish(topic, payload, qos=1)

    def try_to_publish(self, topic: str, payload: bytes, retain: bool) -> Callable[[], bool]:
        """Whether the broker has answered, be it by ending the connection."""
        sent = self._mqtt.publish(topic, payload, qos=1, retain=retain)
        return lambda: sent.is_published() or self.disconnected.is_set()

    def receive(self, timeout: float = TIMEOUT_S) -> Received:
        return self.inbox.get(timeout=timeout)

    def close(self) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    def vanish(self) -> None:
        """Break the connection without DISCONNECT, as a device does that loses its power."""
        self._mqtt.socket().shutdown(socket.SHUT_RDWR)
        self._mqtt.loop_stop()

    def _note_the_end(self) -> None:
        self.disconnected_at = time.monotonic()
        self.disconnected.set()

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        self.inbox.put(Received(message.topic, message.payload, message.retain))


class HasPort(Protocol):
    port: int


def connect_when_known(broker: HasPort, device_id: str, secret: str) -> Client:
    """A client of an account that the broker is only now being told of."""
    clients: list[Client] = []

    def accepted() -> bool:
        clients.append(Client(broker.port, device_id, secret))
        return clients[-1].connect()

    wait_for(accepted, "the broker has read the new password file")
    return clients[-1]


def wait_for(condition: Callable[[], bool], what: str, timeout: float = TIMEOUT_S) -> None:
    """Poll for what another process does, where it gives no event to wait on."""
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, f"waited {timeout} s in vain: {what}"
        time.sleep(0.01)
