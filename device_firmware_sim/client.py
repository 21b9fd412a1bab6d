"""The connection of one device: MQTT 3.1.1 by paho, driven from outside, reconnecting for ever.

No thread: `loop.Loop` says when the socket is ready and when time has come. Each connection gets a
fresh paho client, because everything that must survive one is the device's own to repeat.
"""

from __future__ import annotations

import logging
import random
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from device_firmware_sim.actions import Account, Action, Publish, Reconnect, Subscribe, Unsubscribe
from device_firmware_sim.device import Device
from device_firmware_sim.runtime import NetworkCrashed

log = logging.getLogger(__name__)

KEEPALIVE_S = 60
CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 10.0
RESTART_S = 0.2
BACKOFF_S = 0.25
BACKOFF_MAX_S = 15.0
STABLE_AFTER_S = 5.0
_QOS = 1


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom the device trusts (PEM file of the authority), and where it enrols."""

    authority: Path
    enrol_port: int

    def context(self, credential: Path | None) -> ssl.SSLContext:
        """A client's context; `credential` is a file of its key and certificate."""
        context = ssl.create_default_context(cafile=self.authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if credential is not None:
            context.load_cert_chain(credential)
        return context


class Backoff:
    """How long to wait before the next attempt: doubling, with jitter of half to one and a half."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._failures = 0

    def failed(self) -> float:
        """Seconds to wait after one more failure in a row."""
        wait_s = min(BACKOFF_S * 2.0**self._failures, BACKOFF_MAX_S)
        self._failures = min(self._failures + 1, 16)
        return wait_s * self._random.uniform(0.5, 1.5)

    def succeeded(self) -> None:
        """A connection held: the next failure is the first again."""
        self._failures = 0


class Link:
    """A device and its connection. Nothing that the network does is raised from here.

    `restart` gives the device as it comes up after a crash.
    """

    def __init__(
        self,
        device: Device,
        host: str,
        port: int,
        seed: int,
        first_attempt_at: float,
        tls: Tls | None = None,
        restart: Callable[[], Device] | None = None,
    ) -> None:
        self.device = device
        self._host = host
        self._port = port
        self._tls = tls
        self._restart = restart
        self._backoff = Backoff(seed)
        self._client: mqtt.Client | None = None
        self._is_connected = False
        self._is_leaving = False
        self._events: deque[tuple[str, str, bytes]] = deque()
        self._connected_at = 0.0
        self._attend_at = first_attempt_at

    @property
    def socket(self) -> socket.socket | None:
        """The socket to watch; None between two connections."""
        found = None if self._client is None else self._client.socket()
        return found if isinstance(found, socket.socket) else None

    @property
    def wants_write(self) -> bool:
        """Whether bytes wait for the socket."""
        return self._client is not None and self._client.want_write()

    @property
    def wake_at(self) -> float:
        """When `tick` is next wanted."""
        due_at = self.device.due_at
        return self._attend_at if due_at is None else min(self._attend_at, due_at)

    def tick(self, now: float) -> None:
        """Do what is due: connect, give up waiting, keep alive, let the device work."""
        if now >= self._attend_at:
            self._attend(now)
        due_at = self.device.due_at
        if due_at is not None and now >= due_at:
            self._work(now)
        self._settle_events(now)

    def _work(self, now: float) -> None:
        try:
            actions = self.device.tick(now)
        except NetworkCrashed as error:
            if self._restart is None:
                raise
            log.warning("device=%s crashed: %s", self.device.device_id, error)
            self.drop()
            self.device = self._restart()
            self._attend_at = now + RESTART_S
            return
        self._perform(actions, now)

    def ready(self, now: float, readable: bool, writable: bool) -> None:
        """The socket can be read from or written to."""
        client = self._client
        if client is not None and readable:
            client.loop_read()
            while _has_more(client):
                client.loop_read()
        if client is not None and writable:
            client.loop_write()
        self._settle_events(now)

    def leave(self, now: float) -> None:
        """An orderly departure: the broker need not send the last will."""
        if self._client is None or not self._is_connected:
            self.drop()
            return
        self._perform(self.device.farewell(), now)
        self._is_leaving = True
        self._client.disconnect()

    def drop(self) -> None:
        """Let go of the connection without a word."""
        client, self._client = self._client, None
        self._is_connected = False
        self._events.clear()
        self.device.disconnected()
        found = None if client is None else client.socket()
        if found is not None:
            found.close()

    def _attend(self, now: float) -> None:
        if self._client is None:
            self._connect(now)
        elif not self._is_connected:
            self._lost(now, "no answer to CONNECT")
        else:
            self._client.loop_misc()
            self._attend_at = now + KEEPALIVE_S / 4
            if now - self._connected_at >= STABLE_AFTER_S:
                self._backoff.succeeded()

    def _connect(self, now: float) -> None:
        account = self.device.account()
        try:
            client = self._new_client(account)
            client.connect(self._host, self._port_for(account), KEEPALIVE_S)
        except OSError as error:
            self._lost(now, str(error))
            return
        self._client = client
        self._attend_at = now + ANSWER_TIMEOUT_S
        if self.socket is not None:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _port_for(self, account: Account) -> int:
        return self._tls.enrol_port if self._tls is not None and account.enrols else self._port

    def _new_client(self, account: Account) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            account.client_id,
            clean_session=True,
            protocol=mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        if account.credential is None:
            client.username_pw_set(account.username, account.password)
        if self._tls is not None:
            client.tls_set_context(self._tls.context(account.credential))
        if account.will is not None:
            client.will_set(account.will.topic, account.will.payload, _QOS, account.will.retain)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _on_connect(
        self, client: mqtt.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        self._events.append(("refused" if reason.is_failure else "connected", str(reason), b""))

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        self._events.append(("message", message.topic, bytes(message.payload)))

    def _on_disconnect(
        self, client: mqtt.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        self._events.append(("lost", str(reason), b""))

    def _settle_events(self, now: float) -> None:
        """Act on what paho has called back, outside of its callbacks."""
        if self._is_leaving:
            self._events.clear()
        while self._events:
            kind, text, payload = self._events.popleft()
            if kind == "message":
                self._perform(self.device.receive(text, payload, now), now)
            elif kind == "connected":
                self._is_connected = True
                self._connected_at = now
                self._attend_at = now + STABLE_AFTER_S
                self._perform(self.device.connected(now), now)
            elif kind == "refused":
                self.device.refused()
                self._lost(now, f"refused: {text}")
            else:
                self._lost(now, text)

    def _perform(self, actions: Iterable[Action], now: float) -> None:
        for action in actions:
            client = self._client
            if client is None:
                return
            match action:
                case Publish(topic, payload, retain):
                    client.publish(topic, payload, _QOS, retain)
                case Subscribe(topics):
                    client.subscribe([(topic, _QOS) for topic in topics])
                case Unsubscribe(topics):
                    client.unsubscribe(list(topics))
                case Reconnect():
                    client.disconnect()
                    self.drop()
                    self._attend_at = now

    def _lost(self, now: float, why: str) -> None:
        if not self._is_connected:
            self.device.missed()
        self.drop()
        wait_s = self._backoff.failed()
        self._attend_at = now + wait_s
        log.info("device=%s offline, again in %.1f s: %s", self.device.device_id, wait_s, why)


def _has_more(client: mqtt.Client) -> bool:
    """Whether TLS has bytes in hand already, of which no selector tells."""
    found = client.socket()
    return isinstance(found, ssl.SSLSocket) and found.pending() > 0
