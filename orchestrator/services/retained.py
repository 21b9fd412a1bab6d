"""What should stand in the broker now: blocks of open artifacts, signed manifests, signed tasks.

Items have names, which the journal keeps, and versions, by which a change is seen. The blocks of
one artifact in one size are a single item: a fleet's poll must not walk through all blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import structlog
from django.conf import settings

from orchestrator.protocol import topics
from orchestrator.protocol.blocks import block_count, frame, split
from orchestrator.services import deployments, learning
from registry.models import Artifact

log = structlog.get_logger(__name__)

Messages = Iterable[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Retained:
    """One thing to be kept in the broker; `messages` may read the storage and raise OSError."""

    name: str
    version: str
    messages: Callable[[], Messages]


def wanted() -> Iterator[Retained]:
    """Everything that should be there, blocks before the manifests that name them."""
    yield from _artifacts()
    for device_id, envelope in deployments.open_desired():
        yield _single(topics.desired(device_id), envelope)
    for device_id, envelope in learning.open_orders():
        yield _single(topics.learn_task(device_id), envelope)


def topics_of(name: str) -> list[str]:
    """The topics that an item of this name occupies; none where the name is unreadable."""
    topic, _, size = name.partition(" ")
    if not size:
        return [topic] if topic.startswith(f"{topics.ROOT}/") else []
    exponent = topic.rpartition("/")[2]
    if not (size.isdigit() and int(size) and exponent.isdigit()):
        return []
    return [f"{topic}/{block}" for block in range(block_count(int(size), int(exponent)))]


def _artifacts() -> Iterator[Retained]:
    """Blocks of the open artifacts, as far as RETAINED_MAX_BYTES goes."""
    exponents = dict(deployments.open_artifacts())
    rows = Artifact.objects.filter(pk__in=exponents).order_by("created_at", "pk")
    retained_bytes = 0
    for artifact in rows:
        retained_bytes += artifact.size_bytes * len(exponents[artifact.pk])
        if retained_bytes > settings.RETAINED_MAX_BYTES:
            log.warning("retained_limit_reached", artifact=artifact.pk, bytes=retained_bytes)
            return
        for exponent in exponents[artifact.pk]:
            yield _blocks(artifact, exponent)


def _blocks(artifact: Artifact, exponent: int) -> Retained:
    def messages() -> Messages:
        with artifact.file.open("rb") as file:
            data = file.read()
        for number, block in split(data, exponent):
            yield topics.artifact_block(artifact.pk, exponent, number), frame(block)

    name = f"{topics.artifact(artifact.pk)}/{exponent} {artifact.size_bytes}"
    return Retained(name, artifact.pk, messages)


def _single(topic: str, payload: bytes) -> Retained:
    return Retained(topic, hashlib.sha256(payload).hexdigest(), lambda: [(topic, payload)])
