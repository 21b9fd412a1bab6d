"""A real broker as a process, and a small server on it that enrols and listens."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from orchestrator.protocol import topics
from orchestrator.protocol.encoding import (
    decode_enrolment,
    decode_learn_update,
    decode_online,
    decode_report,
    decode_state,
    encode_acknowledgement,
    encode_enrolment_result,
    make_verifier,
    verify_enrolment,
)
from orchestrator.protocol.messages import Acknowledgement, EnrolmentAnswer, EnrolmentResult
from orchestrator.protocol.senml import decode_telemetry
from orchestrator.protocol.topics import TopicKind

ROOT = Path(__file__).resolve().parents[2]
MOSQUITTO = Path("/usr/sbin/mosquitto")
SECRETS = {"gateway": "gateway-secret", "enrol": "enrol-secret"}
SALT = bytes(12)
_AFTER_THE_RUSH_S = 0.5


class BrokerProcess:
    """Mosquitto or the embedded broker on a free port, with password and ACL files."""

    def __init__(self, kind: str, folder: Path, access_list: str) -> None:
        self.kind = kind
        self.port = free_port()
        self._folder = folder
        self._verifiers = {user: make_verifier(secret, SALT) for user, secret in SECRETS.items()}
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "acl").write_text(access_list)
        self._write_passwords()

    def start(self) -> None:
        """Start and wait until it listens."""
        self._process = subprocess.Popen(self._command(), cwd=ROOT, stderr=subprocess.DEVNULL)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            try:
                self._process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            break
        raise RuntimeError(f"{self.kind} does not listen on {self.port}")

    def admit(self, user: str, verifier: str) -> None:
        """Let a user in; a running Mosquitto is told to read its files again.

        It forgets a hang-up that comes while it reads, so each is said once more after the rush.
        """
        self._verifiers[user] = verifier
        self._write_passwords()
        if self.kind == "mosquitto" and self._process is not None:
            self._hang_up(self._process)
            again = threading.Timer(_AFTER_THE_RUSH_S, self._hang_up, [self._process])
            again.daemon = True
            again.start()

    @staticmethod
    def _hang_up(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End it without a word; everything retained is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _command(self) -> list[str]:
        if self.kind == "mosquitto":
            return [str(MOSQUITTO), "-c", str(self._configuration())]
        files = ["--passwords", f"{self._folder}/passwords", "--acl", f"{self._folder}/acl"]
        return [sys.executable, "-m", "deploy.amqtt_broker", "--port", str(self.port), *files]

    def _configuration(self) -> Path:
        path = self._folder / "mosquitto.conf"
        path.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\nallow_anonymous false\n"
            f"password_file {self._folder}/passwords\nacl_file {self._folder}/acl\n"
            "persistence false\nlog_dest none\n"
            "max_queued_messages 100000\nmax_inflight_messages 1000\n"
        )
        return path

    def _write_passwords(self) -> None:
        draft = self._folder / "passwords.draft"
        draft.write_text("".join(f"{u}:{v}\n" for u, v in self._verifiers.items()))
        draft.chmod(0o600)
        draft.replace(self._folder / "passwords")


class Server:
    """Enrols whoever has a token, keeps what devices say, acknowledges their telemetry."""

    def __init__(self, broker: BrokerProcess) -> None:
        self._broker = broker
        self._heard = threading.Condition()
        self.said: dict[TopicKind, dict[str, list]] = defaultdict(lambda: defaultdict(list))
        self.retained: dict[str, bytes] = {}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "gateway", protocol=mqtt.MQTTv311)
        self._client.username_pw_set("gateway", SECRETS["gateway"])
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message

    def start(self) -> None:
        self._client.connect("127.0.0.1", self._broker.port)
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish retained, and again whenever the broker has forgotten."""
        with self._heard:
            self.retained[topic] = payload
        self._client.publish(topic, payload, 1, retain=True)

    def wait_for(self, holds: Callable[[], bool], seconds: float = 40) -> None:
        """Until something holds that incoming messages bring about."""
        with self._heard:
            assert self._heard.wait_for(holds, seconds), self._summary()

    def last(self, kind: TopicKind, device: str):
        """The newest thing that a device has said on a topic, None before any."""
        return next(reversed(self.said[kind][device]), None)

    def forget(self) -> None:
        """Begin to listen anew."""
        with self._heard:
            self.said.clear()

    def _on_connect(self, client, userdata, flags, reason, properties) -> None:
        client.subscribe([(name, 1) for name in topics.GATEWAY_SUBSCRIPTIONS])
        with self._heard:  # a test may publish while the first connection is still being made
            kept = list(self.retained.items())
        for topic, payload in kept:
            client.publish(topic, payload, 1, retain=True)

    def _on_message(self, client, userdata, message) -> None:
        topic = topics.parse(message.topic)
        word = self._read(topic, message.payload)
        with self._heard:
            self.said[topic.kind][topic.device].append(word)
            self._heard.notify_all()

    def _read(self, topic, payload: bytes):
        match topic.kind:
            case TopicKind.ENROL:
                return self._enrol(topic.device, payload)
            case TopicKind.TELEMETRY:
                pack = decode_telemetry(payload, topic.device)
                kept = encode_acknowledgement(Acknowledgement(pack.boot, pack.sequence))
                self._client.publish(topics.acked(topic.device), kept, 1, retain=True)
                return pack
            case TopicKind.TD:
                return payload
        readers = {
            TopicKind.STATE: decode_state,
            TopicKind.ONLINE: decode_online,
            TopicKind.REPORT: decode_report,
            TopicKind.LEARN_UPDATE: decode_learn_update,
        }
        return readers[topic.kind](payload)

    def _enrol(self, device: str, payload: bytes):
        enrolment = decode_enrolment(device, payload)
        assert verify_enrolment(enrolment)
        if enrolment.token == f"token-{device}":
            self._broker.admit(device, enrolment.verifier)
            result = EnrolmentResult(EnrolmentAnswer.ACCEPTED)
        else:
            result = EnrolmentResult(EnrolmentAnswer.REJECTED, "no such token")
        self._client.publish(topics.enrol_result(device), encode_enrolment_result(result), 1)
        return enrolment

    def _summary(self) -> str:
        return str(
            {kind.value: {d: len(w) for d, w in by.items()} for kind, by in self.said.items()}
        )


def free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
