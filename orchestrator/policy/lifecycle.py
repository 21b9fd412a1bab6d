"""One deployment's life as a table, and how far a device's word may move it.

Delivery is at least once: reports come late, twice and out of order, and some never come. So a word
is judged against what is known already: it may move a deployment forward, any number of steps at
once, but never back and never out of a final status. Each attempt thus ends exactly once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from orchestrator.protocol.messages import DeploymentStatus, ResultCode

Status = DeploymentStatus

#: The statuses before the end, in the order in which a device passes them.
COURSE: tuple[Status, ...] = (
    Status.PENDING,
    Status.NOTIFIED,
    Status.DOWNLOADING,
    Status.INSTALLING,
    Status.VERIFYING,
    Status.INSTALLED,
)
FINAL: frozenset[Status] = frozenset(Status) - frozenset(COURSE)
#: Not yet committed on the device: what an abort or an expiry can still end.
BEFORE_INSTALLED: frozenset[Status] = frozenset(COURSE) - {Status.INSTALLED}
#: Its manifest has been signed and the device has not said how it ended.
ON_ITS_WAY: frozenset[Status] = BEFORE_INSTALLED - {Status.PENDING}

_ENDED_BY_DEVICE = frozenset({Status.FAILED, Status.ROLLED_BACK, Status.REJECTED})
_ENDED_BY_SERVER = frozenset({Status.CANCELLED, Status.EXPIRED, Status.SUPERSEDED})
_REPORTABLE = frozenset(COURSE) - {Status.PENDING} | _ENDED_BY_DEVICE


def _allowed_after(status: Status) -> frozenset[Status]:
    later = frozenset(COURSE[COURSE.index(status) + 1 :])
    allowed = later | _ENDED_BY_DEVICE | _ENDED_BY_SERVER
    if status is Status.PENDING:
        allowed |= {Status.ALREADY_INSTALLED, Status.NOT_APPLICABLE}
    return allowed


#: From each status to those that may follow it. After `installed` the soak decides: the device has
#: committed, so a failure or a cancellation that arrives now is a late word, not a fact.
TRANSITIONS: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {status: _allowed_after(status) for status in COURSE if status is not Status.INSTALLED}
    | {Status.INSTALLED: frozenset({Status.CONFIRMED, Status.ROLLED_BACK, Status.SUPERSEDED})}
    | {status: frozenset[Status]() for status in FINAL}
)


def is_final(status: Status) -> bool:
    """Whether nothing may follow."""
    return status in FINAL


def may_follow(current: Status, following: Status) -> bool:
    """Whether the table allows this step."""
    return following in TRANSITIONS[current]


class Why(StrEnum):
    """Why a word changes nothing."""

    FINAL = "final"
    REPEATED = "repeated"
    LATE = "late"
    NOT_THE_DEVICES_WORD = "not_the_devices_word"
    NOTHING_NEW = "nothing_new"


@dataclass(frozen=True, slots=True)
class Transition:
    """The deployment moves to `status`."""

    status: Status


@dataclass(frozen=True, slots=True)
class Progress:
    """The status stays, a greater fraction of it is done."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing changes."""

    why: Why


Outcome: TypeAlias = Transition | Progress | Ignored


def advance(
    current: Status,
    reported: Status,
    code: ResultCode = ResultCode.OK,
    *,
    progress: float = 0.0,
    known_progress: float = 0.0,
) -> Outcome:
    """What a device's report does to a deployment in `current`.

    A device that went back says so by the code `reverted`, whatever status it names beside it.
    `progress` and `known_progress` are fractions of one; they count within one status only.
    """
    if current in FINAL:
        return Ignored(Why.FINAL)
    if code is ResultCode.REVERTED:
        reported = Status.ROLLED_BACK
    if reported not in _REPORTABLE:
        return Ignored(Why.NOT_THE_DEVICES_WORD)
    if reported is current:
        return Progress(progress) if progress > known_progress else Ignored(Why.REPEATED)
    return Transition(reported) if may_follow(current, reported) else Ignored(Why.LATE)


@dataclass(frozen=True, slots=True)
class Running:
    """A model on a device: SHA-256 in hex, and the sequence number of the manifest behind it."""

    digest: str | None
    sequence: int


def reconcile(current: Status, wanted: Running, seen: Running) -> Transition | Ignored:
    """What a device's state (a level, not an event) says about a deployment that wants `wanted`.

    The same digest under this manifest's sequence number is an installation, though every report
    was lost. Another digest after the installation, no older than it, is a device that went back.
    An older sequence number says only that this state was sent before the device took the manifest.
    """
    if current in FINAL:
        return Ignored(Why.FINAL)
    if seen.sequence < wanted.sequence:
        return Ignored(Why.LATE)
    if seen.digest == wanted.digest and current in BEFORE_INSTALLED:
        return Transition(Status.INSTALLED)
    if seen.digest != wanted.digest and current is Status.INSTALLED:
        return Transition(Status.ROLLED_BACK)
    return Ignored(Why.NOTHING_NEW)
