"""How far a device's telemetry counts as kept.

A device keeps packs in a bounded ring until the server acknowledges them, and queues on the way
lose messages; so the server acknowledges only what it has without a gap, and a device that hears
no acknowledgement sends again. A gap that nothing has filled for a while never will be: the device
has dropped these packs from its ring, and waiting longer would only make it lose more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FIRST_SEQUENCES = (0, 1)
"""A boot's first pack carries one of these, so before it nothing can be missing."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A pack's place: boot count, then sequence number within the boot."""

    boot: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A pack that is stored, and for how many seconds."""

    position: Position
    age_s: float


def acknowledged(before: Position, kept: Iterable[Kept], gap_s: float) -> Position:
    """The position up to which nothing is missing, or nothing any more to be had.

    `kept` are stored packs beyond `before`, in order; a gap is given up when the pack after it has
    been stored for `gap_s` seconds. Never less than `before`.
    """
    reached = before
    for pack in kept:
        if not _follows(reached, pack.position) and pack.age_s < gap_s:
            break
        reached = max(reached, pack.position)
    return reached


def _follows(reached: Position, following: Position) -> bool:
    if following.boot > reached.boot:
        return following.sequence in FIRST_SEQUENCES
    return following.sequence <= reached.sequence + 1
