"""Which of several models that do not fit is the nearest to fitting. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ontology.facts import Reason, Verdict


def nearest_first(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Fewest failed constraints first, then fewest unknown ones, then the least that is missing."""
    return sorted(verdicts, key=_distance)


def open_questions(verdict: Verdict) -> tuple[Reason, ...]:
    """The constraints that keep it from fitting: failed ones first, then unknown ones."""
    failed = [reason for reason in verdict.reasons if reason.holds is False]
    unknown = [reason for reason in verdict.reasons if reason.holds is None]
    return (*failed, *unknown)


def _distance(verdict: Verdict) -> tuple[int, int, float, str]:
    failed = [reason for reason in verdict.reasons if reason.holds is False]
    unknown = sum(reason.holds is None for reason in verdict.reasons)
    return len(failed), unknown, sum(_shortage(reason) for reason in failed), verdict.variant


def _shortage(reason: Reason) -> float:
    """How far a size is over what there is, as a ratio; a missing item of a set counts as one."""
    if isinstance(reason.need, tuple):
        return float(len(reason.need))
    if reason.headroom is None or not isinstance(reason.have, int | float):
        return 1.0
    return math.inf if reason.have <= 0 else -reason.headroom / reason.have
