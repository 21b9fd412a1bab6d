"""Which of several that fit is the best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from ontology.facts import Answer, Constraint, Reason, Verdict

_ORDER = {Answer.FITS: 0, Answer.UNKNOWN: 1, Answer.DOES_NOT_FIT: 2}


def rank(verdicts: Iterable[Verdict], accuracy: Mapping[str, float | None]) -> list[Verdict]:
    """Best first: what fits, then the most accurate, then the one that leaves the most room.

    `accuracy` is by variant, as a fraction; one that is not known comes after every known one.
    Equal ones keep the order of their names, so that the same question has the same answer.
    """
    return sorted(verdicts, key=lambda verdict: _key(verdict, accuracy))


def _key(
    verdict: Verdict, accuracy: Mapping[str, float | None]
) -> tuple[int, float, float, str, str]:
    known = accuracy.get(verdict.variant)
    penalty = math.inf if known is None else -known
    room = -relative_headroom(verdict)
    return _ORDER[verdict.answer], penalty, room, verdict.variant, verdict.profile


def relative_headroom(verdict: Verdict) -> float:
    """The scarcer of flash and RAM: headroom as a fraction of what is there; -inf if not known."""
    scarce = (Constraint.FLASH, Constraint.RAM)
    shares = [_share(reason) for reason in verdict.reasons if reason.constraint in scarce]
    return min(shares, default=-math.inf)


def _share(reason: Reason) -> float:
    if reason.headroom is None or not isinstance(reason.have, int | float) or reason.have <= 0:
        return -math.inf
    return reason.headroom / reason.have
