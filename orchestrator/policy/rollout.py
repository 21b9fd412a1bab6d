"""When a wave starts, succeeds or fails, and when a rollout ends. Pure: values in, a decision out.

Fractions are over the devices that the wave really updates: those that nothing fits, that have the
digest already, or that were taken over by a newer rollout stand outside. An expired deployment is
no success but no error either: offline is not failed. An empty wave succeeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import accumulate
from math import ceil
from typing import TypeAlias, TypeVar

from orchestrator.policy.lifecycle import FINAL
from orchestrator.protocol.messages import DeploymentStatus

Item = TypeVar("Item")


class Stage(StrEnum):
    """Where a wave stands, as far as a decision depends on it."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Tally(StrEnum):
    """What a deployment's status counts as."""

    OPEN = "open"
    SUCCESS = "success"
    ERROR = "error"
    MISSED = "missed"
    OUTSIDE = "outside"


_TALLY_OF_FINAL = {
    DeploymentStatus.CONFIRMED: Tally.SUCCESS,
    DeploymentStatus.FAILED: Tally.ERROR,
    DeploymentStatus.ROLLED_BACK: Tally.ERROR,
    DeploymentStatus.REJECTED: Tally.ERROR,
    DeploymentStatus.EXPIRED: Tally.MISSED,
}


def tally_of(status: DeploymentStatus) -> Tally:
    """What one deployment in `status` counts as."""
    if status not in FINAL:
        return Tally.OPEN
    return _TALLY_OF_FINAL.get(status, Tally.OUTSIDE)


@dataclass(frozen=True, slots=True)
class Policy:
    """Thresholds are fractions of one: a wave needs successes >=, and stops at errors >.

    Until `open_until` devices may still join, so nothing is complete before.
    """

    success_threshold: float
    error_threshold: float
    start_at: datetime | None = None
    open_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class WaveCounts:
    """One wave and how its devices stand; those outside the reckoning are left out."""

    number: int
    stage: Stage
    open: int = 0
    success: int = 0
    error: int = 0
    missed: int = 0

    @property
    def total(self) -> int:
        """Devices that the wave updates."""
        return self.open + self.success + self.error + self.missed


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until something changes or `start_at` comes."""


@dataclass(frozen=True, slots=True)
class StartWave:
    """The next wave may go."""

    number: int


@dataclass(frozen=True, slots=True)
class WaveSucceeded:
    """Enough of the wave is confirmed; what is still open goes on beside the next wave."""

    number: int


@dataclass(frozen=True, slots=True)
class WaveFailed:
    """A threshold is broken."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Stop:
    """A wave has failed: nothing more is sent."""

    why: str


@dataclass(frozen=True, slots=True)
class Complete:
    """Every wave has succeeded and no device is left open."""


Decision: TypeAlias = Wait | StartWave | WaveSucceeded | WaveFailed | Stop | Complete


def decide(policy: Policy, waves: Sequence[WaveCounts], now: datetime) -> Decision:
    """The one next step. Apply it and ask again, until the answer is Wait, Stop or Complete.

    Errors are looked for first and in succeeded waves too, since what is open there still reports:
    a bad model must stop itself before the next wave starts.
    """
    failed = next((wave for wave in waves if wave.stage is Stage.FAILED), None)
    if failed is not None:
        return Stop(f"wave {failed.number} failed")
    broken = _broken_wave(policy, waves)
    if broken is not None:
        return broken
    for wave in waves:
        if wave.stage is Stage.RUNNING:
            return _judge_running(policy, wave)
    return _step_on(policy, waves, now)


def _broken_wave(policy: Policy, waves: Sequence[WaveCounts]) -> WaveFailed | None:
    for wave in waves:
        if wave.stage is not Stage.WAITING and _too_many_errors(policy, wave):
            why = (
                f"{wave.error} of {wave.total} devices failed, "
                f"more than the {policy.error_threshold:.0%} allowed"
            )
            return WaveFailed(wave.number, why)
    return None


def _too_many_errors(policy: Policy, wave: WaveCounts) -> bool:
    return wave.total > 0 and wave.error / wave.total > policy.error_threshold


def _judge_running(policy: Policy, wave: WaveCounts) -> Decision:
    if _reaches(policy, wave, wave.success):
        return WaveSucceeded(wave.number)
    if _reaches(policy, wave, wave.success + wave.open):
        return Wait()
    why = (
        f"at most {wave.success + wave.open} of {wave.total} devices can succeed, "
        f"fewer than the {policy.success_threshold:.0%} needed"
    )
    return WaveFailed(wave.number, why)


def _reaches(policy: Policy, wave: WaveCounts, successes: int) -> bool:
    return wave.total == 0 or successes / wave.total >= policy.success_threshold


def least_successes(policy: Policy, total: int) -> int:
    """With fewer confirmed devices a wave of `total` cannot succeed."""
    count = int(policy.success_threshold * total)
    while count < total and count / total < policy.success_threshold:
        count += 1
    while count and (count - 1) / total >= policy.success_threshold:
        count -= 1
    return count


def _step_on(policy: Policy, waves: Sequence[WaveCounts], now: datetime) -> Decision:
    following = next((wave for wave in waves if wave.stage is Stage.WAITING), None)
    if following is None:
        may_grow = policy.open_until is not None and now < policy.open_until
        return Wait() if may_grow or any(wave.open for wave in waves) else Complete()
    if policy.start_at is not None and now < policy.start_at:
        return Wait()
    return StartWave(following.number)


def split_into_waves(items: Sequence[Item], percentages: Sequence[float]) -> list[Sequence[Item]]:
    """Cut `items` at cumulative percentages, rounding up so that the first wave is a real trial.

    Each item lands in exactly one wave; `percentages` ascend and end at 100.
    """
    return _cut(items, [ceil(len(items) * percentage / 100) for percentage in percentages])


def split_by_sizes(items: Sequence[Item], sizes: Sequence[int]) -> list[Sequence[Item]]:
    """Cut `items` into pieces of these sizes and one more with the rest, which may be empty.

    There are as many pieces whatever is to be cut, so that who joins later finds them all.
    """
    return _cut(items, [*accumulate(sizes), max(sum(sizes), len(items))])


def _cut(items: Sequence[Item], ends: Sequence[int]) -> list[Sequence[Item]]:
    return [items[start:end] for start, end in zip([0, *ends], ends, strict=False)]
