"""The gateway's loop: messages in, one commit a batch, acknowledgements, and what should be out.

Order is what makes it safe: commit, then answer, then acknowledge. Killed between any two of these
the gateway has lost nothing; the broker or the device sends again, and again changes nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container, Iterable, Sequence
from datetime import datetime

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone

from orchestrator.gateways.broker_files import (
    gateway_client_id,
    gateway_password,
    write_password_file,
)
from orchestrator.gateways.certificates import CertificateClient
from orchestrator.gateways.mqtt import Account, BrokerLink, Delivery
from orchestrator.gateways.retained_journal import RetainedJournal
from orchestrator.gateways.signing import SigningClient, TwoSigners
from orchestrator.protocol import topics
from orchestrator.protocol.accounts import GATEWAY_CLIENT_ID, GATEWAY_USER
from orchestrator.protocol.encoding import encode_acknowledgement
from orchestrator.protocol.topics import GATEWAY_SUBSCRIPTIONS
from orchestrator.services import retained, telemetry
from orchestrator.services.certificates import Certificates
from orchestrator.services.inbox import Arrival, enrolment_answer, take
from orchestrator.services.message_rates import MessageRates
from orchestrator.services.signing import Signing

log = structlog.get_logger(__name__)

RETRY_MIN_S = 0.2
RETRY_MAX_S = 10.0
STORAGE_RETRY_S = 30.0
ORDERS_FIRST_S = 1.0
POLL_SHARE = 0.1
"""Looking for changes may take this share of the gateway's time."""


def broker_link() -> BrokerLink:
    """This installation's connection to its broker, not yet begun."""
    account = Account(
        settings.MQTT_HOST,
        settings.MQTT_PORT,
        GATEWAY_USER,
        gateway_password(),
        gateway_client_id(GATEWAY_CLIENT_ID),
    )
    return BrokerLink(account, GATEWAY_SUBSCRIPTIONS)


def build_gateway(now: Callable[[], datetime] = timezone.now) -> Gateway:
    """The gateway of this installation, not yet connected."""
    signer = SigningClient(settings.SIGNER_SOCKET, settings.NETWORK_TIMEOUT_S)
    return Gateway(
        broker_link(),
        Signing(_with_author(signer)),
        Certificates(CertificateClient(signer)),
        RetainedJournal(settings.BROKER_DIR / "retained"),
        now,
    )


def _with_author(operator: SigningClient) -> SigningClient | TwoSigners:
    """The operator's signer, and the author's beside it where one is named."""
    if settings.AUTHOR_SIGNER_SOCKET is None:
        return operator
    author = SigningClient(settings.AUTHOR_SIGNER_SOCKET, settings.NETWORK_TIMEOUT_S)
    return TwoSigners(author, operator)


class Gateway:
    """One loop in one thread; `stop` ends it after the batch that is under way."""

    def __init__(
        self,
        link: BrokerLink,
        signing: Signing,
        certificates: Certificates,
        journal: RetainedJournal,
        now: Callable[[], datetime] = timezone.now,
    ) -> None:
        self._link = link
        self._signing = signing
        self._certificates = certificates
        self._journal = journal
        self._now = now
        self._rates = MessageRates()
        self._held: Sequence[Delivery] = ()
        self._arrivals: Sequence[Arrival] = ()
        self._published: dict[str, str] = {}
        self._clearing: dict[str, frozenset[int]] = {}
        self._unreadable: dict[str, float] = {}
        self._epoch = 0
        self._orders_wait = False
        self._next_poll = 0.0
        self._retry_s = RETRY_MIN_S

    def run(self, stop: threading.Event, on_ready: Callable[[], None]) -> None:
        """Serve until `stop` is set; `on_ready` is called once, when first connected."""
        self.start()
        ready = False
        try:
            while not stop.is_set():
                self.step(stop)
                if self._epoch and not ready:
                    ready = True
                    on_ready()
        finally:
            self.stop()

    @property
    def epoch(self) -> int:
        """Number of the connection on which everything has been published; 0 before the first."""
        return self._epoch

    def start(self) -> None:
        """Begin to connect."""
        write_password_file()
        self._link.start()

    def stop(self) -> None:
        """Leave the broker; whatever is not acknowledged comes again."""
        self._link.stop()

    def step(self, stop: threading.Event | None = None) -> None:
        """Take one batch, and look for changes where that is due. Waits a poll's time at most.

        A database that fails delays: the batch is held, unacknowledged, and tried again.
        """
        try:
            self._receive()
            self._poll()
            self._retry_s = RETRY_MIN_S
        except (DatabaseError, InterfaceError) as error:
            log.error("database_failed", retry_in_s=self._retry_s, error=str(error))
            (stop or threading.Event()).wait(self._retry_s)
            self._retry_s = min(2 * self._retry_s, RETRY_MAX_S)
            close_old_connections()

    def _receive(self) -> None:
        # Orders go out first: taking in what devices say would hold up the thread that sends them.
        if self._orders_wait:
            self._orders_wait = not self._link.settle(ORDERS_FIRST_S)
        if not self._held:
            self._held = self._link.take(
                settings.GATEWAY_BATCH_MESSAGES,
                min(settings.GATEWAY_POLL_S, self._next_poll - time.monotonic()),
                settings.GATEWAY_BATCH_WAIT_S,
            )
            # Once, however often a failing database has the batch tried again.
            self._arrivals = [self._arrival(delivery, self._now()) for delivery in self._held]
        if not self._held:
            return
        for outgoing in take(self._arrivals, self._now()):
            self._link.publish(outgoing.topic, outgoing.payload, outgoing.retain)
        self._link.acknowledge(self._held)
        self._held = ()

    def _arrival(self, delivery: Delivery, now: datetime) -> Arrival:
        admitted = self._rates.admits(delivery.topic, now)
        return Arrival(delivery.topic, delivery.payload, delivery.retained, over_rate=not admitted)

    def _poll(self) -> None:
        started = time.monotonic()
        epoch = self._link.epoch
        if started < self._next_poll and epoch == self._epoch:
            return
        close_old_connections()
        for device_id, result in self._certificates.keep_up(self._now()):
            answer = enrolment_answer(device_id, result)
            self._link.publish(answer.topic, answer.payload, answer.retain)
        signed = self._signing.sign_waiting(self._now())
        looked_at = time.monotonic()
        if epoch:
            self._publish_all(epoch)
        pause_s = max(settings.GATEWAY_POLL_S, (time.monotonic() - looked_at) / POLL_SHARE)
        # What was signed may not have been all: the next ones follow after a batch of messages.
        self._next_poll = started if signed else started + pause_s

    def _publish_all(self, epoch: int) -> None:
        """Everything on a new connection, for the broker may be empty; else what has changed."""
        if epoch != self._epoch:
            self._published.clear()
            for device_id, kept in telemetry.acknowledgements():
                self._link.publish(topics.acked(device_id), encode_acknowledgement(kept), True)
        self._publish_differences({item.name: item for item in retained.wanted()})
        self._epoch = epoch

    def _publish_differences(self, wanted: dict[str, retained.Retained]) -> None:
        changed = [
            item for item in wanted.values() if self._published.get(item.name) != item.version
        ]
        self._orders_wait = self._orders_wait or bool(changed)
        self._journal.add(item.name for item in changed)
        for item in changed:
            self._publish(item)
        self._clear(self._journal.names - wanted.keys())
        self._journal.replace([*wanted, *self._not_yet_cleared(wanted.keys())])

    def _publish(self, item: retained.Retained) -> None:
        if time.monotonic() < self._unreadable.get(item.name, 0.0):
            return
        try:
            for topic, payload in item.messages():
                self._link.publish(topic, payload, True)
        except OSError as error:
            log.error("artifact_unreadable", item=item.name, error=str(error))
            self._unreadable[item.name] = time.monotonic() + STORAGE_RETRY_S
            return
        self._published[item.name] = item.version

    def _clear(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._clearing:
                sent = [self._link.publish(topic, b"", True) for topic in retained.topics_of(name)]
                self._clearing[name] = frozenset(sent)
            self._published.pop(name, None)

    def _not_yet_cleared(self, wanted: Container[str]) -> Iterable[str]:
        """The journal forgets only what the broker has confirmed to be gone: what is queued when
        this process dies is sent by no other."""
        under_way = self._link.under_way
        self._clearing = {
            name: messages & under_way
            for name, messages in self._clearing.items()
            if name not in wanted and messages & under_way
        }
        return self._clearing
