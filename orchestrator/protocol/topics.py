"""Topics as values that check themselves: what is not listed here is not spoken here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

ROOT = "tinyfleet/v1"
RESERVED_NAMES = frozenset(
    {"enrol", "artifacts", "gateway", "tinyfleet-gateway", "tinyfleet-access", "tinyfleet-entrance"}
)
"""Account names, client ids of the server, and what stands in a device's place in topics."""

ENROLLING_PREFIX = "enrol-"
"""Of the client ids of those that enrol, so no device's name begins so."""
MAX_TOPIC_CHARS = 160
MIN_EXPONENT = 8
MAX_EXPONENT = 20
MAX_BLOCK = 2**20 - 1

_DEVICE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,6}", re.ASCII)


class TopicError(ValueError):
    """A topic or a part of one that the protocol does not know; the message says which."""


class TopicKind(StrEnum):
    """Every kind of topic; the values are stable names for logs and counters."""

    ENROL = "enrol"
    ENROL_RESULT = "enrol_result"
    TD = "td"
    ONLINE = "online"
    STATE = "state"
    DESIRED = "desired"
    REPORT = "report"
    TELEMETRY = "telemetry"
    ACKED = "acked"
    LEARN_TASK = "learn_task"
    LEARN_UPDATE = "learn_update"
    ARTIFACT_BLOCK = "artifact_block"


@dataclass(frozen=True, slots=True)
class Topic:
    """A parsed topic. Device topics have `device`; blocks have the other three."""

    kind: TopicKind
    device: str | None = None
    sha256: str | None = None
    exponent: int | None = None
    block: int | None = None


_DEVICE_TAILS = {
    "td": TopicKind.TD,
    "online": TopicKind.ONLINE,
    "state": TopicKind.STATE,
    "desired": TopicKind.DESIRED,
    "report": TopicKind.REPORT,
    "telemetry": TopicKind.TELEMETRY,
    "acked": TopicKind.ACKED,
    "learn/task": TopicKind.LEARN_TASK,
    "learn/update": TopicKind.LEARN_UPDATE,
}

GATEWAY_SUBSCRIPTIONS: tuple[str, ...] = (
    f"{ROOT}/enrol/+",
    f"{ROOT}/+/td",
    f"{ROOT}/+/online",
    f"{ROOT}/+/state",
    f"{ROOT}/+/report",
    f"{ROOT}/+/telemetry",
    f"{ROOT}/+/learn/update",
)
"""What the server reads. None of these matches a topic that the server itself writes."""


def check_device_id(device: str) -> str:
    """`device` itself, or a TopicError: 1 to 63 of a-z, 0-9 and "-", not starting with "-"."""
    if not isinstance(device, str) or not _DEVICE_ID.fullmatch(device):
        raise TopicError(
            f"{_short(device)} is no device id: 1 to 63 of a-z, 0-9 and '-', no '-' at the start"
        )
    if device in RESERVED_NAMES or device.startswith(ENROLLING_PREFIX):
        raise TopicError(f"{device!r} is reserved and cannot be a device id")
    return device


def parse(topic: str) -> Topic:
    """The topic's kind and parts. Wildcards and anything outside the table are refused."""
    if len(topic) > MAX_TOPIC_CHARS or not topic.startswith(f"{ROOT}/"):
        raise TopicError(f"{_short(topic)} is not a topic under {ROOT}/")
    first, _, tail = topic.removeprefix(f"{ROOT}/").partition("/")
    kind = _DEVICE_TAILS.get(tail)
    if kind is not None and first != "enrol":
        return Topic(kind, check_device_id(first))
    match [first, *tail.split("/")]:
        case ["enrol", device]:
            return Topic(TopicKind.ENROL, check_device_id(device))
        case ["enrol", device, "result"]:
            return Topic(TopicKind.ENROL_RESULT, check_device_id(device))
        case ["artifacts", sha256, exponent, block]:
            return _parse_block(sha256, exponent, block)
    raise TopicError(f"{_short(topic)} is not in the table of topics")


def enrol(device: str) -> str:
    """Where a device asks to join."""
    return f"{ROOT}/enrol/{check_device_id(device)}"


def enrol_result(device: str) -> str:
    """Where the server answers."""
    return f"{enrol(device)}/result"


def td(device: str) -> str:
    """The device's Thing Description, retained."""
    return _device_topic(device, "td")


def online(device: str) -> str:
    """Presence, retained; the device's last will too."""
    return _device_topic(device, "online")


def state(device: str) -> str:
    """What the device runs, retained."""
    return _device_topic(device, "state")


def desired(device: str) -> str:
    """The signed manifest that the device is to follow, retained."""
    return _device_topic(device, "desired")


def report(device: str) -> str:
    """Progress and outcome of updates."""
    return _device_topic(device, "report")


def telemetry(device: str) -> str:
    """SenML packs."""
    return _device_topic(device, "telemetry")


def acked(device: str) -> str:
    """How far the server has kept the device's telemetry, retained."""
    return _device_topic(device, "acked")


def learn_task(device: str) -> str:
    """A signed order to learn, retained."""
    return _device_topic(device, "learn/task")


def learn_update(device: str) -> str:
    """What came of a task."""
    return _device_topic(device, "learn/update")


def artifact_block(sha256: str, exponent: int, block: int) -> str:
    """Block number `block` (from 0) of 2^`exponent` bytes; exponent 0: the whole file, block 0."""
    return f"{artifact(sha256)}/{_checked(exponent, block)}"


def artifact(sha256: str) -> str:
    """The prefix of an artifact's blocks, which is also the manifest's SUIT uri."""
    if not _SHA256.fullmatch(sha256):
        raise TopicError(f"{_short(sha256)} is not a SHA-256 in 64 lower-case hex digits")
    return f"{ROOT}/artifacts/{sha256}"


def check_exponent(exponent: int) -> int:
    """`exponent` itself, or a TopicError: 0 for the whole file, else 8 to 20."""
    if exponent and not MIN_EXPONENT <= exponent <= MAX_EXPONENT:
        raise TopicError(f"block exponent {exponent} is neither 0 nor 8 to 20")
    return exponent


def _device_topic(device: str, tail: str) -> str:
    return f"{ROOT}/{check_device_id(device)}/{tail}"


def _parse_block(sha256: str, exponent: str, block: str) -> Topic:
    artifact(sha256)
    for part in (exponent, block):
        if not _NUMBER.fullmatch(part):
            raise TopicError(f"{_short(part)} is not a whole number without leading zeros")
    _checked(int(exponent), int(block))
    return Topic(TopicKind.ARTIFACT_BLOCK, None, sha256, int(exponent), int(block))


def _checked(exponent: int, block: int) -> str:
    check_exponent(exponent)
    if not 0 <= block <= (MAX_BLOCK if exponent else 0):
        raise TopicError(f"block number {block} is out of range for exponent {exponent}")
    return f"{exponent}/{block}"


def _short(text: object) -> str:
    shown = repr(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
