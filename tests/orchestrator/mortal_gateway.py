"""A gateway that dies at a chosen step, between a broker that is a dictionary and a real database.

A step is whatever another process could see: a row written, a message published or acknowledged, an
answer of the signer, a line of the journal. Dying is a BaseException, which nothing may catch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from django.db import connection

from orchestrator.gateways.mqtt import Delivery
from orchestrator.gateways.retained_journal import RetainedJournal
from orchestrator.protocol.manifest import Manifest, encode, envelope
from orchestrator.services.certificates import Certificates
from orchestrator.services.mqtt_gateway import Gateway
from orchestrator.services.signing import Signing
from tests.orchestrator.rollout_world import signing_key

_WRITES = ("INSERT", "UPDATE", "DELETE")


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Fate:
    """Counts steps; the `fatal`th is not taken any more.

    With `is_deaf` what is published in that step and after it never leaves the process, though the
    rest goes on to the end of the batch: a full queue, then SIGKILL.
    """

    fatal: int | None = None
    is_deaf: bool = False
    steps: int = 0

    @property
    def has_come(self) -> bool:
        """Whether the fatal step was reached."""
        return self.fatal is not None and self.steps >= self.fatal

    def step(self) -> None:
        """One more; dies at the fatal one."""
        self.steps += 1
        if self.has_come and not self.is_deaf:
            raise Killed

    def __call__(self, execute, sql, params, many, context):
        """As a wrapper of statements."""
        if sql.startswith(_WRITES):
            self.step()
        return execute(sql, params, many, context)


@dataclass
class Broker:
    """What a broker keeps: retained messages, and what the gateway's session has not acknowledged.

    `sent` is everything that the gateway has published, in order.
    """

    retained: dict[str, bytes] = field(default_factory=dict)
    session: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    _next: int = 1

    def receive(self, topic: str, payload: bytes) -> None:
        """A device publishes something for the gateway."""
        self.session[self._next] = (topic, payload)
        self._next += 1


class MortalLink:
    """One connection to that broker, with the face of `gateways.mqtt.BrokerLink`."""

    def __init__(self, broker: Broker, fate: Fate) -> None:
        self._broker = broker
        self._fate = fate
        broker.connections += 1
        self.epoch = broker.connections
        self._taken: set[int] = set()
        self.under_way: frozenset[int] = frozenset()

    def start(self) -> None:
        """It is connected already."""

    def stop(self) -> None:
        """What was not acknowledged comes again."""

    def take(self, limit: int, wait_s: float, gather_s: float) -> list[Delivery]:
        """What this connection has not delivered yet."""
        waiting = [n for n in self._broker.session if n not in self._taken][:limit]
        self._taken.update(waiting)
        return [Delivery(*self._broker.session[n], False, n, 1, self.epoch) for n in waiting]

    def settle(self, timeout_s: float) -> bool:
        """Nothing waits here: what is published is out at once, or lost for good."""
        return True

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """PUBACK, each a step of its own."""
        for delivery in deliveries:
            self._fate.step()
            self._broker.session.pop(delivery.identifier, None)

    def publish(self, topic: str, payload: bytes, retain: bool) -> int:
        """Out of the process and confirmed, unless it has gone deaf."""
        self._fate.step()
        if self._fate.has_come:
            self.under_way |= {self._fate.steps}
            return self._fate.steps
        self._broker.sent.append((topic, payload))
        if retain and payload:
            self._broker.retained[topic] = payload
        elif retain:
            self._broker.retained.pop(topic, None)
        return 0


class MortalSigner:
    """Signs all, with the face of `gateways.signing.SigningClient`."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate

    def sign_manifests(self, orders: Sequence[Manifest]) -> list[bytes]:
        """Death may come before the signer has answered, and before the answer is kept."""
        self._fate.step()
        return [envelope(encode(order), signing_key()) for order in orders]


class MortalJournal(RetainedJournal):
    """The journal, each change a step."""

    def __init__(self, path: Path, fate: Fate) -> None:
        super().__init__(path)
        self._fate = fate

    def add(self, names: Iterable[str]) -> None:
        """Before it is on disk."""
        self._fate.step()
        super().add(names)

    def replace(self, names: Iterable[str]) -> None:
        """Before it is on disk."""
        self._fate.step()
        super().replace(names)


@contextmanager
def mortal_gateway(broker: Broker, journal: Path, fate: Fate, now: datetime):
    """A gateway on a new connection, whose statements count too."""
    link = MortalLink(broker, fate)
    signing = Signing(MortalSigner(fate))  # type: ignore[arg-type]
    certificates = Certificates(None)  # type: ignore[arg-type]  # none is issued here
    lines = MortalJournal(journal, fate)
    gateway = Gateway(link, signing, certificates, lines, lambda: now)  # type: ignore[arg-type]
    with connection.execute_wrapper(fate):
        yield gateway


def topics_of(sent: Iterable[tuple[str, bytes]]) -> list[str]:
    """The topics alone."""
    return [topic for topic, _ in sent]
