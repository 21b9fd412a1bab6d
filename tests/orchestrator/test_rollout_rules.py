"""Waves, thresholds and the end of a rollout, over every order in which devices may answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.policy.rollout import (
    Complete,
    Policy,
    Stage,
    StartWave,
    Stop,
    Tally,
    Wait,
    WaveCounts,
    WaveFailed,
    WaveSucceeded,
    decide,
    least_successes,
    split_by_sizes,
    split_into_waves,
    tally_of,
)
from orchestrator.protocol.messages import DeploymentStatus

NOW = datetime(2030, 1, 1, tzinfo=UTC)
OUTCOMES = ("success", "error", "missed", "outside")

percent = st.integers(0, 100).map(lambda n: n / 100)
policies = st.builds(Policy, success_threshold=percent, error_threshold=percent)
wave_plans = st.lists(st.lists(st.sampled_from(OUTCOMES), max_size=8), min_size=1, max_size=4)


class Campaign:
    """A rollout played out: devices answer in a drawn order, decisions are applied as they come."""

    def __init__(self, policy: Policy, plans: list[list[str]]) -> None:
        self.policy = policy
        self.plans = [list(plan) for plan in plans]
        self.waves = [
            WaveCounts(number, Stage.WAITING, open=len(plan))
            for number, plan in enumerate(plans, start=1)
        ]
        self.started: list[int] = []
        self.end: Stop | Complete | None = None

    def settle(self) -> None:
        """Apply decisions until there is nothing to do."""
        for _ in range(3 * len(self.waves) + 2):
            decision = decide(self.policy, self.waves, NOW)
            if isinstance(decision, Wait):
                return
            if isinstance(decision, Stop | Complete):
                self.end = decision
                return
            self._apply(decision)
        raise AssertionError("decisions do not come to rest")

    def _apply(self, decision: StartWave | WaveSucceeded | WaveFailed) -> None:
        index = decision.number - 1
        stages = {
            StartWave: Stage.RUNNING,
            WaveSucceeded: Stage.SUCCEEDED,
            WaveFailed: Stage.FAILED,
        }
        if isinstance(decision, StartWave):
            self.started.append(decision.number)
        self.waves[index] = replace(self.waves[index], stage=stages[type(decision)])

    def answer(self, choice: int) -> bool:
        """One device of a started wave ends; False where none is left."""
        able = [n for n in self.started if self.plans[n - 1]]
        if not able:
            return False
        index = able[choice % len(able)] - 1
        outcome = self.plans[index].pop(choice % len(self.plans[index]))
        wave = replace(self.waves[index], open=self.waves[index].open - 1)
        if outcome != "outside":
            wave = replace(wave, **{outcome: getattr(wave, outcome) + 1})
        self.waves[index] = wave
        return True


def _play(policy: Policy, plans: list[list[str]], choices: list[int]) -> Campaign:
    campaign = Campaign(policy, plans)
    campaign.settle()
    for choice in choices:
        if campaign.end is not None or not campaign.answer(choice):
            break
        campaign.settle()
    return campaign


@given(policies, wave_plans, st.lists(st.integers(0, 1000), min_size=40, max_size=40))
@settings(max_examples=300, derandomize=True)
def test_it_ends_and_skips_no_wave(policy, plans, choices):
    campaign = _play(policy, plans, choices)
    assert campaign.end is not None
    assert campaign.started == list(range(1, len(campaign.started) + 1))
    if isinstance(campaign.end, Complete):
        assert len(campaign.started) == len(plans)
        assert all(wave.stage is Stage.SUCCEEDED for wave in campaign.waves)
        assert not any(wave.open for wave in campaign.waves)


@given(policies, wave_plans, st.lists(st.integers(0, 1000), min_size=40, max_size=40))
@settings(max_examples=300, derandomize=True)
def test_no_wave_starts_beside_a_broken_threshold(policy, plans, choices):
    campaign = Campaign(policy, plans)
    campaign.settle()
    for choice in choices:
        before = len(campaign.started)
        if campaign.end is not None or not campaign.answer(choice):
            break
        broken = any(_breaks(policy, wave) for wave in campaign.waves)
        campaign.settle()
        if broken:
            assert len(campaign.started) == before
            assert isinstance(campaign.end, Stop)


def _breaks(policy: Policy, wave: WaveCounts) -> bool:
    if wave.stage is Stage.WAITING or wave.total == 0:
        return False
    return Fraction(wave.error, wave.total) > Fraction(str(policy.error_threshold))


@given(percent, st.integers(1, 300), st.data())
@settings(max_examples=300, derandomize=True)
def test_thresholds_hold_to_the_device(threshold, total, data):
    """Against exact fractions: success at >=, error at >, no device more or fewer."""
    success = data.draw(st.integers(0, total))
    wave = WaveCounts(1, Stage.RUNNING, success=success, missed=total - success)
    decision = decide(Policy(threshold, 1.0), [wave], NOW)
    enough = Fraction(success, total) >= Fraction(str(threshold))
    assert isinstance(decision, WaveSucceeded if enough else WaveFailed)

    wave = WaveCounts(1, Stage.RUNNING, error=success, success=total - success)
    decision = decide(Policy(0.0, threshold), [wave], NOW)
    too_many = Fraction(success, total) > Fraction(str(threshold))
    assert isinstance(decision, WaveFailed if too_many else WaveSucceeded)


@given(percent, st.integers(1, 300))
def test_one_success_less_than_needed_is_too_few(threshold, total):
    needed = least_successes(Policy(threshold, 1.0), total)
    enough = WaveCounts(1, Stage.RUNNING, success=needed, missed=total - needed)
    assert isinstance(decide(Policy(threshold, 1.0), [enough], NOW), WaveSucceeded)
    if needed:
        too_few = replace(enough, success=needed - 1, missed=total - needed + 1)
        assert isinstance(decide(Policy(threshold, 1.0), [too_few], NOW), WaveFailed)


@given(policies, st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=12), st.data())
@settings(max_examples=300, derandomize=True)
def test_a_wave_that_is_given_up_early_could_not_have_succeeded(policy, outcomes, data):
    answered = data.draw(st.integers(0, len(outcomes)))
    early = Campaign(policy, [outcomes])
    early.settle()
    for _ in range(answered):
        early.answer(0)
    if not isinstance(decide(policy, early.waves, NOW), WaveFailed):
        return
    rest = early.waves[0]
    for success in range(rest.open + 1):
        ended = replace(rest, open=0, success=rest.success + success)
        decision = decide(policy, [ended], NOW)
        assert isinstance(decision, WaveFailed) or ended.total < rest.total


moments = st.integers(-3, 3).map(lambda hours: NOW + timedelta(hours=hours))


@given(policies, wave_plans, st.lists(st.integers(0, 1000), max_size=40), moments, moments)
@settings(max_examples=200, derandomize=True)
def test_nothing_starts_before_its_time_or_ends_while_it_may_grow(
    policy, plans, choices, start_at, open_until
):
    """Whatever has been answered by then."""
    campaign = _play(replace(policy, start_at=start_at, open_until=open_until), plans, choices)
    if start_at > NOW:
        assert campaign.started == []
    if open_until > NOW:
        assert not isinstance(campaign.end, Complete)


def test_an_empty_wave_succeeds():
    policy = Policy(1.0, 0.0)
    assert decide(policy, [WaveCounts(1, Stage.RUNNING)], NOW) == WaveSucceeded(1)


def test_a_rollout_without_devices_left_completes():
    policy = Policy(1.0, 0.0)
    assert decide(policy, [WaveCounts(1, Stage.SUCCEEDED)], NOW) == Complete()


def test_the_last_wave_waits_for_its_open_devices():
    waves = [WaveCounts(1, Stage.SUCCEEDED, open=1, success=9)]
    assert decide(Policy(0.9, 0.5), waves, NOW) == Wait()


def test_errors_in_a_wave_that_had_succeeded_still_stop_the_rollout():
    waves = [
        WaveCounts(1, Stage.SUCCEEDED, success=9, error=3),
        WaveCounts(2, Stage.RUNNING, open=10),
    ]
    assert decide(Policy(0.5, 0.2), waves, NOW) == WaveFailed(
        1, "3 of 12 devices failed, more than the 20% allowed"
    )


def test_a_failed_wave_stops_the_rollout():
    waves = [WaveCounts(1, Stage.FAILED, error=1), WaveCounts(2, Stage.WAITING, open=1)]
    assert decide(Policy(0.5, 0.2), waves, NOW) == Stop("wave 1 failed")


def test_offline_devices_are_no_errors():
    waves = [WaveCounts(1, Stage.RUNNING, success=1, missed=1)]
    assert decide(Policy(0.5, 0.0), waves, NOW) == WaveSucceeded(1)


def test_nothing_starts_before_its_time():
    waves = [WaveCounts(1, Stage.WAITING, open=1)]
    policy = Policy(0.5, 0.2, start_at=NOW)
    assert decide(policy, waves, NOW - timedelta(seconds=1)) == Wait()
    assert decide(policy, waves, NOW) == StartWave(1)


@pytest.mark.parametrize(
    ("status", "tally"),
    [
        (DeploymentStatus.PENDING, Tally.OPEN),
        (DeploymentStatus.INSTALLED, Tally.OPEN),
        (DeploymentStatus.CONFIRMED, Tally.SUCCESS),
        (DeploymentStatus.FAILED, Tally.ERROR),
        (DeploymentStatus.ROLLED_BACK, Tally.ERROR),
        (DeploymentStatus.REJECTED, Tally.ERROR),
        (DeploymentStatus.EXPIRED, Tally.MISSED),
        (DeploymentStatus.CANCELLED, Tally.OUTSIDE),
        (DeploymentStatus.SUPERSEDED, Tally.OUTSIDE),
        (DeploymentStatus.ALREADY_INSTALLED, Tally.OUTSIDE),
        (DeploymentStatus.NOT_APPLICABLE, Tally.OUTSIDE),
    ],
)
def test_what_a_status_counts_as(status, tally):
    assert tally_of(status) is tally


@given(st.integers(0, 500), st.lists(st.integers(1, 200), min_size=1, max_size=5))
@settings(derandomize=True)
def test_every_item_lands_in_one_wave_by_sizes(count, sizes):
    """No device is updated twice, and none is forgotten."""
    items = list(range(count))
    waves = split_by_sizes(items, sizes)
    assert [item for wave in waves for item in wave] == items
    assert len(waves) == len(sizes) + 1
    assert all(len(wave) <= size for wave, size in zip(waves, sizes, strict=False))


@given(
    st.integers(0, 500),
    st.sets(st.integers(1, 99), max_size=5).map(lambda cuts: [*sorted(cuts), 100]),
)
@settings(derandomize=True)
def test_every_item_lands_in_one_wave(count, percentages):
    items = list(range(count))
    waves = split_into_waves(items, percentages)
    assert [item for wave in waves for item in wave] == items
    assert len(waves) == len(percentages)
    if count:
        assert waves[0]
