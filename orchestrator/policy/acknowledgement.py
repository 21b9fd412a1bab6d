"""How far a device's telemetry counts as kept.

A device keeps packs in a bounded ring until the server acknowledges them, and queues on the way
lose messages; so the server acknowledges only what it has without a gap, and a device that hears
no acknowledgement sends again. What a full ring has dropped never comes: a device says from which
pack on it holds them, and what is missing before that one is lost, what is missing after it is
waited for. Of a device that does not say so a gap is given up after a while, for waiting longer
would only make it lose more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FIRST_SEQUENCE = 1
"""A boot's first pack carries it, or 0, so before it nothing can be missing."""


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


@dataclass(frozen=True, slots=True)
class Reached:
    """The position up to which nothing more is to be had, and how many packs before it are lost."""

    position: Position
    lost: int = 0


def acknowledged(
    before: Position, kept: Iterable[Kept], gap_s: float, held_from: Position | None = None
) -> Reached:
    """How far the packs reach without a gap, or with gaps that nothing can fill any more.

    `kept` are stored packs beyond `before`, in order; `held_from` is the oldest pack that the
    device still has. Without it a gap is given up when the pack after it has been stored for
    `gap_s` seconds. Never less than `before`.
    """
    reached, lost = before, 0
    for pack in kept:
        missing = _missing(reached, pack.position)
        if missing and not _is_given_up(pack, gap_s, held_from):
            break
        lost += missing
        reached = max(reached, pack.position)
    return Reached(reached, lost)


def _is_given_up(pack: Kept, gap_s: float, held_from: Position | None) -> bool:
    """Whether what is missing right before this pack never comes."""
    return pack.age_s >= gap_s if held_from is None else pack.position <= held_from


def _missing(reached: Position, following: Position) -> int:
    """How many packs lie between. How many an earlier boot had at its end nobody knows."""
    first = FIRST_SEQUENCE if following.boot > reached.boot else reached.sequence + 1
    return max(0, following.sequence - first)
