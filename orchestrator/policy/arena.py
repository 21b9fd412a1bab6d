"""Which of several devices' words on the memory that a network needs is believed. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def quorum_of(wanted: int, members: int) -> int:
    """How many devices must agree: `wanted`, or all where fewer share the figure; one at least."""
    return max(1, min(wanted, members))


def believed_need(stated: Iterable[int], confirmed: Iterable[int], quorum: int) -> int | None:
    """The most bytes that `quorum` devices at least say are needed; None where so many did not say.

    So a device that exaggerates moves the figure no further than the next honest one. What an
    operator has `confirmed` counts by itself.
    """
    needs = sorted(stated, reverse=True)
    agreed = [needs[quorum - 1]] if len(needs) >= quorum else []
    return max([*agreed, *confirmed], default=None)
