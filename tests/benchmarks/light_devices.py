"""Light devices: they follow the protocol as far as delivery goes, and note when they have done so.

They take the manifest apart without verifying it; the benchmark verifies every one of them when
the time is no longer measured. What arrives they hold to its digest, as the plain peer does; a
block's CRC-32, by which a device asks again sooner, says nothing more. Of the words on the way they
say none, as the protocol leaves to a device that is done within seconds.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import cbor2

from orchestrator.protocol import topics
from orchestrator.protocol.blocks import CRC_BYTES, WINDOW, block_count
from orchestrator.protocol.encoding import encode_report, encode_state
from orchestrator.protocol.messages import DeploymentStatus, Report, ResultCode, State
from tests.benchmarks.light_mqtt import Session

# Places in the envelope, docs/mqtt-protocol.md, "The manifest".
_MANIFEST, _SEQUENCE, _COMMON, _SHARED = 3, 2, 3, 4
_ARTIFACTS = f"{topics.ROOT}/artifacts/"
_DIGEST, _SIZE, _DEPLOYMENT = 3, 14, -2


@dataclass(frozen=True, slots=True)
class Order:
    """What a light device reads of its manifest."""

    sequence: int
    deployment: UUID
    digest: bytes
    size: int


def read_order(envelope: bytes) -> Order:
    manifest = cbor2.loads(cbor2.loads(envelope).value[_MANIFEST])
    parameters = cbor2.loads(cbor2.loads(manifest[_COMMON])[_SHARED])[1]
    return Order(
        manifest[_SEQUENCE],
        UUID(bytes=parameters[_DEPLOYMENT]),
        cbor2.loads(parameters[_DIGEST])[1],
        parameters[_SIZE],
    )


class Download:
    """An artifact's blocks in windows, as the protocol says; `done` is called with the whole."""

    def __init__(
        self,
        session: Session,
        digest: bytes,
        prefix: str,
        count: int,
        done: Callable[[Session], None],
    ) -> None:
        self._digest = digest
        self._topics = [f"{prefix}/{block}" for block in range(count)]
        self._done = done
        self._blocks: dict[str, bytes] = {}
        self._window: list[str] = []
        self._ask(session)

    def take(self, session: Session, topic: str, payload: bytes) -> None:
        """One block; the last one of a window brings the next."""
        self._blocks[topic] = payload
        if len(self._blocks) % WINDOW and len(self._blocks) < len(self._topics):
            return
        session.unsubscribe(self._window)
        if len(self._blocks) < len(self._topics):
            self._ask(session)
            return
        whole = hashlib.sha256()
        for topic in self._topics:
            whole.update(memoryview(self._blocks[topic])[:-CRC_BYTES])
        assert whole.digest() == self._digest, f"{session.name} got other bytes"
        self._blocks = {}
        self._done(session)

    def _ask(self, session: Session) -> None:
        start = len(self._blocks)
        self._window = self._topics[start : start + WINDOW]
        session.subscribe(self._window)


class Devices:
    """What all of them have got and when; `exponent` is the block size that their buffers take."""

    def __init__(self, exponent: int) -> None:
        self._exponent = exponent
        self.envelopes: dict[str, bytes] = {}
        self.heard: Counter[str] = Counter()
        self.first_order_at = 0.0
        self.done_at: list[float] = []
        self._downloads: dict[str, Download] = {}

    def begin(self, session: Session) -> None:
        """As after each connection: listen for orders."""
        session.told = self._told
        name = session.name
        session.subscribe([topics.desired(name), topics.acked(name), topics.learn_task(name)])

    def _told(self, session: Session, topic: str, payload: bytes) -> None:
        if topic.endswith("/desired"):
            self.heard["manifests" if payload else "cleared manifests"] += 1
            self._ordered(session, payload)
        elif not topic.startswith(_ARTIFACTS):
            self.heard[topic] += 1
        else:
            self._downloads[session.name].take(session, topic, payload)

    def _ordered(self, session: Session, envelope: bytes) -> None:
        if not envelope or session.name in self.envelopes:
            return
        self.first_order_at = self.first_order_at or time.perf_counter()
        self.envelopes[session.name] = envelope
        order = read_order(envelope)
        prefix = f"{topics.artifact(order.digest.hex())}/{self._exponent}"
        count = block_count(order.size, self._exponent)
        self._downloads[session.name] = Download(
            session, order.digest, prefix, count, lambda whole: self._installed(whole, order)
        )

    def _installed(self, session: Session, order: Order) -> None:
        self.done_at.append(time.perf_counter())
        word = Report(
            deployment=order.deployment,
            status=DeploymentStatus.INSTALLED,
            code=ResultCode.OK,
            boot=1,
            sequence=order.sequence,
            progress=1.0,
        )
        session.publish(topics.report(session.name), encode_report(word))
        state = State(digest=order.digest.hex(), slot=1, sequence=order.sequence, boot=1)
        session.publish(topics.state(session.name), encode_state(state), retain=True)
