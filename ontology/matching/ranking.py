"""Which of several that fit is the best."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from ontology.facts import Answer, Constraint, Reason, Verdict

# The hard form of MnasNet's objective.
HARD_ALPHA, HARD_BETA = 0.0, -1.0

MOST_WEIGHT = 1_000_000.0
MOST_EXPONENT = 100.0

_ORDER = {Answer.FITS: 0, Answer.UNKNOWN: 1, Answer.DOES_NOT_FIT: 2}


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each merit counts; all of them are shares, so that they can be added.

    Accuracy is the fraction itself. Flash and RAM count by what is left of what is there, latency
    and energy by what is left of the limit that was asked for.
    """

    accuracy: float = 0.0
    flash: float = 0.0
    ram: float = 0.0
    latency: float = 0.0
    energy: float = 0.0

    def __post_init__(self) -> None:
        for merit in fields(self):
            _check_size(f"the weight of {merit.name}", getattr(self, merit.name), MOST_WEIGHT)


def parse_weights(text: str) -> Weights:
    """`accuracy=1,ram=0.5` as weights; ValueError with a sentence."""
    known = [merit.name for merit in fields(Weights)]
    given: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in known:
            raise ValueError(f"{name!r} has no weight; {', '.join(known)} have")
        try:
            given[name] = float(value)
        except ValueError as error:
            raise ValueError(f"the weight of {name} is no number: {value!r}") from error
    return Weights(**given)


@dataclass(frozen=True, slots=True)
class LatencyTarget:
    """MnasNet's objective: how accuracy and latency are traded around a target.

    Reward = accuracy * (latency / target) ** w, with w = `alpha` within the target and `beta` above
    it (Tan et al. 2019, equation 2). The hard form, alpha 0 and beta -1, pays nothing for being
    faster than asked and punishes every millisecond too much.
    """

    latency_ms: float
    alpha: float = HARD_ALPHA
    beta: float = HARD_BETA

    def __post_init__(self) -> None:
        if not 0 < self.latency_ms < math.inf:
            raise ValueError("a target is a number of milliseconds above 0")
        _check_size("alpha", self.alpha, MOST_EXPONENT)
        _check_size("beta", self.beta, MOST_EXPONENT)


def _check_size(what: str, number: float, most: float) -> None:
    """NaN is in no range, so it is refused too."""
    if not -most <= number <= most:
        raise ValueError(f"{what} is not between {-most:g} and {most:g}: {number:g}")


def rank(verdicts: Iterable[Verdict], merit: Mapping[str, float | None]) -> list[Verdict]:
    """Best first: what fits, then the greatest merit, then the one that leaves the most room.

    `merit` is by variant: an accuracy as a fraction, a `weighted_merit` or a `reward`; one that is
    not known comes after every known one. Equal ones keep the order of their names, so that the
    same question has the same answer.
    """
    return sorted(verdicts, key=lambda verdict: _key(verdict, merit))


def _key(verdict: Verdict, merit: Mapping[str, float | None]) -> tuple[int, float, float, str, str]:
    known = merit.get(verdict.variant)
    penalty = math.inf if known is None else -known
    room = -relative_headroom(verdict)
    return _ORDER[verdict.answer], penalty, room, verdict.variant, verdict.profile


def reward(accuracy: float | None, latency_ms: float | None, target: LatencyTarget) -> float | None:
    """MnasNet's reward of one network on one device; None where either figure is not known."""
    if accuracy is None or latency_ms is None or latency_ms <= 0:
        return None
    exponent = target.alpha if latency_ms <= target.latency_ms else target.beta
    try:
        return float(accuracy * (latency_ms / target.latency_ms) ** exponent)
    except OverflowError:
        return sys.float_info.max


def weighted_merit(verdict: Verdict, accuracy: float | None, weights: Weights) -> float | None:
    """The sum of the weighted shares; None where one that has a weight is not known."""
    shares = {reason.constraint.value: _share_left(reason) for reason in verdict.reasons}
    shares["accuracy"] = accuracy  # the figure itself, not what is left above a limit
    total = 0.0
    for merit in fields(weights):
        weight: float = getattr(weights, merit.name)
        share = shares.get(merit.name)
        if weight and share is None:
            return None
        total += weight * (share or 0.0)
    return total


def _share_left(reason: Reason) -> float | None:
    """Headroom as a fraction of the size that is there, or of the limit that was set."""
    limited = reason.constraint in {Constraint.LATENCY, Constraint.ENERGY}
    whole = reason.need if limited else reason.have
    if reason.headroom is None or not isinstance(whole, int | float) or whole <= 0:
        return None
    return reason.headroom / whole


def relative_headroom(verdict: Verdict) -> float:
    """The scarcer of flash and RAM: headroom as a fraction of what is there; -inf if not known."""
    scarce = (Constraint.FLASH, Constraint.RAM)
    shares = [_share(reason) for reason in verdict.reasons if reason.constraint in scarce]
    return min(shares, default=-math.inf)


def _share(reason: Reason) -> float:
    share = _share_left(reason)
    return -math.inf if share is None else share
