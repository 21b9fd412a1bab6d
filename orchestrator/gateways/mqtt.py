"""The server's one connection to the broker: MQTT 3.1.1, QoS 1, a lasting session.

paho's network thread only moves messages between the socket and a bounded queue; nothing is
acknowledged there. PUBACK goes out when `acknowledge` is called, after the commit, so a message
that was taken but not kept comes again. When the queue is full the thread waits, and with it the
broker: a flood costs time, not memory.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

log = structlog.get_logger(__name__)

KEEPALIVE_S = 30
RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 15
MAX_INFLIGHT = 50
"""At each confirmation paho walks through all that is under way: 200 cost a fifth more than 50."""

QUEUE_BYTES = 64 * 1024 * 1024
MESSAGE_BYTES = 1024
"""What a message takes in memory beside its payload, with some to spare."""

_QUEUE_POLL_S = 0.2
_QOS = 1


@dataclass(frozen=True, slots=True)
class Account:
    """Where to connect, and as whom."""

    host: str
    port: int
    user: str
    password: str
    client_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One received message. `epoch` counts connections: an identifier holds within one alone."""

    topic: str
    payload: bytes
    retained: bool
    identifier: int
    qos: int
    epoch: int


class BrokerLink:
    """Connects, and reconnects for ever with back-off; subscribes anew on every connection."""

    def __init__(
        self, account: Account, subscriptions: Sequence[str], queue_bytes: int = QUEUE_BYTES
    ) -> None:
        self._account = account
        self._subscriptions = [(topic, _QOS) for topic in subscriptions]
        self._arrived: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._queue_bytes = queue_bytes
        self._arrived_bytes = 0
        self._taken = threading.Condition()
        self._stopping = threading.Event()
        self._epoch = 0
        self._connections = 0
        self._under_way: set[int] = set()
        # Filled by paho's thread, which may confirm a message before `publish` knows its number;
        # emptied in the thread that publishes. A lock that is held while paho is called would wait
        # for paho's own, and that for it.
        self._confirmed: deque[int] = deque()
        self._unconfirmed = 0
        self._settled = threading.Condition()
        self._client = self._new_client()

    @property
    def epoch(self) -> int:
        """Number of the present connection once its subscriptions are granted; 0 without one.

        A number that was not there before means: the broker may have forgotten everything.
        """
        return self._epoch

    def start(self) -> None:
        """Connect in the background; a broker that is not there yet is waited for."""
        self._client.connect_async(self._account.host, self._account.port, KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Say goodbye. What was not acknowledged comes again with the next connection."""
        self._stopping.set()
        self._client.disconnect()
        self._client.loop_stop()

    def take(self, limit: int, wait_s: float, gather_s: float) -> list[Delivery]:
        """Up to `limit` messages: waits `wait_s` for the first, then `gather_s` for more."""
        until, batch = time.monotonic() + max(0.0, wait_s), list[Delivery]()
        while len(batch) < limit:
            try:
                batch.append(self._arrived.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                break
            if len(batch) == 1:
                until = time.monotonic() + gather_s
        with self._taken:
            self._arrived_bytes -= sum(map(_size, batch))
            self._taken.notify_all()
        return batch

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """PUBACK. Those of an earlier connection come again and are acknowledged then."""
        for delivery in deliveries:
            # Identifiers are the connection's own: an old one may name another message by now.
            if delivery.qos and delivery.epoch == self._connections:
                self._client.ack(delivery.identifier, delivery.qos)

    def publish(self, topic: str, payload: bytes, retain: bool) -> int:
        """Queue a message; without a connection it waits for the next one. Its number here."""
        with self._settled:
            self._unconfirmed += 1
        number = self._client.publish(topic, payload, qos=_QOS, retain=retain).mid
        self._under_way.add(number)
        return number

    @property
    def under_way(self) -> frozenset[int]:
        """The messages, by their numbers, that the broker has not confirmed yet."""
        while self._confirmed:
            self._under_way.discard(self._confirmed.popleft())
        return frozenset(self._under_way)

    def settle(self, timeout_s: float) -> bool:
        """Whether the broker has confirmed all that was published, within so many seconds.

        Without a connection it cannot, and nothing is waited for.
        """
        with self._settled:
            self._settled.wait_for(lambda: not (self._unconfirmed and self._epoch), timeout_s)
            return not self._unconfirmed

    def _new_client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            self._account.client_id,
            clean_session=False,
            protocol=paho.MQTTv311,
            manual_ack=True,
        )
        client.username_pw_set(self._account.user, self._account.password)
        client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        client.max_inflight_messages_set(MAX_INFLIGHT)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    # Callbacks, in paho's thread

    def _on_connect(
        self, client: paho.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        if reason.is_failure:
            log.warning("broker_refused", reason=str(reason), **self._place)
            return
        self._connections += 1
        client.subscribe(self._subscriptions)

    def _on_subscribe(
        self,
        client: paho.Client,
        userdata: Any,
        mid: int,
        reasons: list[ReasonCode],
        properties: Any,
    ) -> None:
        answers = zip(self._subscriptions, reasons, strict=True)
        refused = [topic for (topic, _), reason in answers if reason.is_failure]
        if refused:
            log.error("subscriptions_refused", topics=refused, **self._place)
            return
        self._epoch = self._connections
        log.info("broker_connected", epoch=self._epoch, **self._place)

    def _on_connect_fail(self, client: paho.Client, userdata: Any) -> None:
        log.warning("broker_unreachable", **self._place)

    def _on_disconnect(
        self, client: paho.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        with self._settled:
            self._epoch = 0
            self._settled.notify_all()
        if not self._stopping.is_set():
            log.warning("broker_connection_lost", reason=str(reason), **self._place)

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        delivery = Delivery(
            topic=_topic_text(message),
            payload=bytes(message.payload),
            retained=message.retain,
            identifier=message.mid,
            qos=message.qos,
            epoch=self._connections,
        )
        with self._taken:
            while self._arrived_bytes > self._queue_bytes and not self._stopping.is_set():
                self._taken.wait(_QUEUE_POLL_S)
            self._arrived_bytes += _size(delivery)
        self._arrived.put(delivery)

    def _on_publish(
        self, client: paho.Client, userdata: Any, mid: int, reason: ReasonCode, properties: Any
    ) -> None:
        self._confirmed.append(mid)
        with self._settled:
            self._unconfirmed -= 1
            if not self._unconfirmed:
                self._settled.notify_all()

    @property
    def _place(self) -> dict[str, Any]:
        return {"host": self._account.host, "port": self._account.port}


def _size(delivery: Delivery) -> int:
    return len(delivery.payload) + MESSAGE_BYTES


def _topic_text(message: paho.MQTTMessage) -> str:
    """Brokers refuse topics that are not UTF-8; if one ever comes through, it is an unknown one."""
    try:
        return message.topic
    except UnicodeDecodeError:
        return "(not UTF-8)"
