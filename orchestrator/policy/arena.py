"""Which of several devices' words on the memory that a network needs is believed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stated:
    """What devices of one kind say that one network takes of their arena, in bytes, one word each.

    `refused` by those that would not take it for that, `in_use` by those that run it; `confirmed`
    is what an operator has taken for true of all.
    """

    refused: Sequence[int] = ()
    in_use: Sequence[int] = ()
    confirmed: Sequence[int] = ()


def quorum_of(wanted: int, members: int) -> int:
    """How many devices must agree: `wanted`, or all where fewer share the figure; one at least."""
    return max(1, min(wanted, members))


def believed(stated: Stated, quorum: int, otherwise: float | None = None) -> int | None:
    """What the devices' words come to; None where too few have spoken, or disagree.

    `otherwise` is what would be believed without them: who refuses a network finds that it takes
    more, so refusals never lower it. Where refusing and running devices differ the larger counts.
    """
    refused = believed_need(stated.refused, (), quorum)
    if refused is not None and otherwise is not None and refused <= otherwise:
        refused = None
    found = (refused, agreed_use(stated.in_use, quorum), *stated.confirmed)
    return max((need for need in found if need is not None), default=None)


def believed_need(stated: Iterable[int], confirmed: Iterable[int], quorum: int) -> int | None:
    """The most bytes that `quorum` devices at least say are needed; None where so many did not say.

    So a device that exaggerates moves the figure no further than the next honest one. What an
    operator has `confirmed` counts by itself.
    """
    needs = sorted(stated, reverse=True)
    agreed = [needs[quorum - 1]] if len(needs) >= quorum else []
    return max([*agreed, *confirmed], default=None)


def agreed_use(stated: Iterable[int], quorum: int) -> int | None:
    """The most bytes of which `quorum` devices say at least that, and as many at most that.

    Who runs a network may understate as well as exaggerate: beyond the next honest device it moves
    the figure in neither direction. None where no figure has so many on both sides.
    """
    uses = sorted(stated)
    if len(uses) < quorum:
        return None
    found = uses[-quorum]
    return found if sum(use <= found for use in uses) >= quorum else None
