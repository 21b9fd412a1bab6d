"""The same bytes to the same sessions by a broker alone: what delivery is measured against."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from orchestrator.protocol import topics
from orchestrator.protocol.blocks import WHOLE_FILE, frame, split
from tests.benchmarks.light_devices import Download
from tests.benchmarks.light_mqtt import PUBACK, SUBACK, UNSUBACK, Fleet, Session, ignore

PATIENCE_S = 300.0


def published_once(
    fleet: Fleet, publisher: Session, devices: Sequence[Session], data: bytes
) -> float:
    """Seconds from one plain publish until every session has the bytes, held to their digest."""
    digest = hashlib.sha256(data).digest()
    topic = topics.artifact_block(digest.hex(), WHOLE_FILE, 0)
    done: list[Session] = []

    def told(session: Session, topic: str, payload: bytes) -> None:
        assert hashlib.sha256(payload).digest() == digest
        done.append(session)

    with _answered(fleet, SUBACK, len(devices)):
        for session in devices:
            session.told = told
            session.subscribe([topic])
    began = time.perf_counter()
    publisher.publish(topic, data)
    fleet.serve(lambda: len(done) == len(devices), PATIENCE_S)
    taken_s = time.perf_counter() - began
    with _answered(fleet, UNSUBACK, len(devices)):
        for session in devices:
            session.told = ignore
            session.unsubscribe([topic])
    return taken_s


def fetched_in_blocks(
    fleet: Fleet,
    publisher: Session,
    devices: Sequence[Session],
    data: bytes,
    exponent: int,
    at_once: int,
) -> float:
    """Seconds in which all sessions fetch retained blocks, in the windows that devices use.

    So many at once: with thousands the kernel's buffers are full, and all become slower.
    """
    digest = hashlib.sha256(data).digest()
    prefix = f"{topics.artifact(digest.hex())}/{exponent}"
    blocks = {f"{prefix}/{number}": frame(block) for number, block in split(data, exponent)}
    _retain(fleet, publisher, blocks)
    done: list[Session] = []
    waiting = iter(devices)

    def begin(session: Session) -> None:
        session.told = Download(session, digest, prefix, len(blocks), finished).take

    def finished(session: Session) -> None:
        done.append(session)
        for following in islice(waiting, 1):
            begin(following)

    began = time.perf_counter()
    for session in islice(waiting, at_once):
        begin(session)
    fleet.serve(lambda: len(done) == len(devices), PATIENCE_S)
    taken_s = time.perf_counter() - began
    _retain(fleet, publisher, dict.fromkeys(blocks, b""))
    return taken_s


def _retain(fleet: Fleet, publisher: Session, messages: dict[str, bytes]) -> None:
    with _answered(fleet, PUBACK, len(messages)):
        for topic, payload in messages.items():
            publisher.publish(topic, payload, retain=True)


@contextmanager
def _answered(fleet: Fleet, kind: int, count: int) -> Iterator[None]:
    """Ends when as many packets of a kind have come as are asked for within."""
    before = fleet.acks[kind]
    yield
    fleet.serve(lambda: fleet.acks[kind] - before >= count, PATIENCE_S)
