"""From received messages to rows: one transaction for a whole batch, one service per kind.

A bad message never costs another: what cannot be read is counted and left out, and a group that
fails as a whole is tried again message by message. Only a failing database fails the batch, which
then is not acknowledged and comes again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError, transaction

from orchestrator.protocol import encoding, topics
from orchestrator.protocol.fields import MessageError
from orchestrator.protocol.messages import EnrolmentResult
from orchestrator.protocol.senml import decode_telemetry
from orchestrator.protocol.topics import Topic, TopicError, TopicKind
from orchestrator.services import certificates, enrolment, learning, presence, telemetry
from orchestrator.services.deployments import apply_reports
from orchestrator.services.traffic_drops import UNKNOWN_KIND, Drop, DropReason, count_drops
from registry.models import Device, DeviceStatus
from registry.services.things import DescriptionError, describe_device

log = structlog.get_logger(__name__)

RETAINED_KINDS = frozenset({TopicKind.TD, TopicKind.ONLINE, TopicKind.STATE})
"""What devices leave in the broker; there an empty payload only clears."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came from the broker; `over_rate` where its sender has sent too many."""

    topic: str
    payload: bytes
    retained: bool = False
    over_rate: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish, QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class _Message:
    """A readable message; `device` is the sender's row, None where it only now enrols."""

    topic: Topic
    value: Any
    device: Device | None = None

    @property
    def sender(self) -> Device:
        """The accepted device that sent it; every kind but an enrolment has one."""
        assert self.device is not None
        return self.device


class _Refused(Exception):
    """A message that goes no further."""

    def __init__(self, drop: Drop) -> None:
        super().__init__(drop.detail)
        self.drop = drop


def take(arrivals: Sequence[Arrival], now: datetime) -> list[Outgoing]:
    """Apply a batch in one transaction; returns what is to be published once it is committed.

    Raises DatabaseError where the database fails: then nothing was kept, and nothing may be
    acknowledged. Applying the same messages again changes nothing.
    """
    with transaction.atomic():
        batch = _Batch(now)
        for arrival in _known(arrivals, batch):
            batch.add(*arrival)
        batch.apply()
        count_drops(batch.drops, now)
    return batch.outgoing


def _known(
    arrivals: Sequence[Arrival], batch: _Batch
) -> list[tuple[Arrival, Topic, Device | None]]:
    """Arrivals on topics that mean something, each with its device's row."""
    readable: list[tuple[Arrival, Topic]] = []
    for arrival in arrivals:
        try:
            readable.append((arrival, _topic(arrival)))
        except _Refused as refused:
            batch.drops.append(refused.drop)
    names = {topic.device for _, topic in readable}
    rows = Device.objects.filter(device_id__one_of=names).only("device_id", "status")
    devices = {device.device_id: device for device in rows}
    return [(arrival, topic, devices.get(topic.device or "")) for arrival, topic in readable]


def _topic(arrival: Arrival) -> Topic:
    try:
        topic = topics.parse(arrival.topic)
    except TopicError as error:
        raise _Refused(Drop(DropReason.UNKNOWN_TOPIC, UNKNOWN_KIND, str(error))) from error
    if topic.kind not in _HANDLERS:
        raise _Refused(_drop(topic, DropReason.UNKNOWN_TOPIC, "not a topic that devices write"))
    if arrival.over_rate:
        detail = f"{topic.device} sends more than {settings.MQTT_MESSAGES_PER_S:g} a second"
        raise _Refused(_drop(topic, DropReason.RATE, detail))
    return topic


class _Batch:
    """Messages by kind in the order in which they came, what was refused, and what to answer."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.drops: list[Drop] = []
        self.outgoing: list[Outgoing] = []
        self._groups: dict[TopicKind, list[_Message]] = defaultdict(list)

    def add(self, arrival: Arrival, topic: Topic, device: Device | None) -> None:
        """Read one message, or count it as refused."""
        if not arrival.payload and topic.kind in RETAINED_KINDS:
            return
        try:
            self._groups[topic.kind].append(_read(arrival, topic, device))
        except _Refused as refused:
            self.drops.append(refused.drop)
            if arrival.retained and refused.drop.reason is DropReason.NOT_ACCEPTED:
                # What a device left behind that is none any more would come with every connect.
                self.outgoing.append(Outgoing(arrival.topic, b"", retain=True))

    def apply(self) -> None:
        """Give each kind to its service."""
        for kind in _HANDLERS:
            self._apply(kind, self._groups[kind])
        heard = {m.device for group in self._groups.values() for m in group if m.device}
        if heard:
            presence.touch(heard, self.now)

    def _apply(self, kind: TopicKind, messages: list[_Message]) -> None:
        if not messages:
            return
        try:
            with transaction.atomic():
                self.outgoing += _HANDLERS[kind](messages, self.now)
        except _Refused as refused:
            self._retry_singly(kind, messages, refused.drop)
        except (IntegrityError, DataError) as error:
            self._retry_singly(kind, messages, _failure(messages[0].topic, error))
        except DatabaseError:
            raise
        except Exception as error:
            log.exception("message_failed", topic=kind.value, messages=len(messages))
            self._retry_singly(kind, messages, _failure(messages[0].topic, error))

    def _retry_singly(self, kind: TopicKind, messages: list[_Message], drop: Drop) -> None:
        if len(messages) == 1:
            self.drops.append(drop)
            return
        for message in messages:
            self._apply(kind, [message])


def _read(arrival: Arrival, topic: Topic, device: Device | None) -> _Message:
    limit = settings.MQTT_MAX_MESSAGE_BYTES
    size = len(arrival.payload)
    if size > limit:
        raise _Refused(_drop(topic, DropReason.OVERSIZED, f"{size} bytes, {limit} allowed"))
    accepted = device is not None and device.status == DeviceStatus.ACCEPTED
    if topic.kind is not TopicKind.ENROL and not accepted:
        raise _Refused(_drop(topic, DropReason.NOT_ACCEPTED, f"{topic.device} is no member"))
    try:
        value = _DECODERS[topic.kind](topic.device or "", arrival.payload)
    except (MessageError, TopicError) as error:
        raise _Refused(_drop(topic, DropReason.MALFORMED, str(error))) from error
    return _Message(topic, value, device)


def _enrol(messages: Sequence[_Message], now: datetime) -> list[Outgoing]:
    answers = []
    for message in messages:
        device_id = message.value.device_id
        result = certificates.completed(device_id, enrolment.enrol(message.value, now), now)
        if result is not None:
            answers.append(enrolment_answer(device_id, result))
    return answers


def enrolment_answer(device_id: str, result: EnrolmentResult) -> Outgoing:
    """What is published to a device that asked to join."""
    return Outgoing(topics.enrol_result(device_id), encoding.encode_enrolment_result(result))


def _describe(messages: Sequence[_Message], now: datetime) -> list[Outgoing]:
    for message in messages:
        try:
            describe_device(message.sender, message.value)
        except DescriptionError as error:
            drop = _drop(message.topic, DropReason.DESCRIPTION, str(error))
            raise _Refused(drop) from error
    return []


def _online(messages: Sequence[_Message], now: datetime) -> list[Outgoing]:
    presence.apply_online([(message.sender, message.value) for message in messages])
    return []


def _states(messages: Sequence[_Message], now: datetime) -> list[Outgoing]:
    presence.apply_states([(message.sender, message.value) for message in messages], now)
    return []


def _reports(messages: Sequence[_Message], now: datetime) -> list[Outgoing]:
    apply_reports([(message.sender, message.value) for message in messages], now)
    return []


def _telemetry(messages: Sequence[_Message], now: datetime) -> list[Outgoing]:
    packs = [(message.sender.device_id, message.value) for message in messages]
    return [
        Outgoing(topics.acked(device_id), encoding.encode_acknowledgement(kept), retain=True)
        for device_id, kept in telemetry.ingest(packs, now)
    ]


def _learn_updates(messages: Sequence[_Message], now: datetime) -> list[Outgoing]:
    for message in messages:
        learning.apply_update(message.sender, message.value, now)
    return []


def _drop(topic: Topic, reason: DropReason, detail: str) -> Drop:
    return Drop(reason, topic.kind.value, detail, topic.device)


def _failure(topic: Topic, error: Exception) -> Drop:
    return _drop(topic, DropReason.FAILED, f"{type(error).__name__}: {error}")


_DECODERS: dict[TopicKind, Callable[[str, bytes], Any]] = {
    TopicKind.ENROL: encoding.decode_enrolment,
    TopicKind.TD: lambda device, payload: payload,
    TopicKind.ONLINE: lambda device, payload: encoding.decode_online(payload),
    TopicKind.STATE: lambda device, payload: encoding.decode_state(payload),
    TopicKind.REPORT: lambda device, payload: encoding.decode_report(payload),
    TopicKind.TELEMETRY: lambda device, payload: decode_telemetry(payload, device),
    TopicKind.LEARN_UPDATE: lambda device, payload: encoding.decode_learn_update(payload),
}
_HANDLERS: dict[TopicKind, Callable[[Sequence[_Message], datetime], list[Outgoing]]] = {
    TopicKind.ENROL: _enrol,
    TopicKind.TD: _describe,
    TopicKind.ONLINE: _online,
    TopicKind.STATE: _states,
    TopicKind.REPORT: _reports,
    TopicKind.TELEMETRY: _telemetry,
    TopicKind.LEARN_UPDATE: _learn_updates,
}
