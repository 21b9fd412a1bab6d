"""The token bucket, by properties: what it lets through is bounded, and never too little."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.policy.rate import Bucket, Rate

PAUSES = st.lists(st.floats(0, 5), min_size=1, max_size=60)
RATES = st.builds(Rate, per_s=st.floats(0.1, 20), burst=st.integers(1, 20).map(float))


def admitted(rate: Rate, moments: list[float]) -> list[float]:
    bucket, through = None, []
    for now_s in moments:
        spent = rate.spent(bucket, now_s)
        if spent is not None:
            bucket = spent
            through.append(now_s)
    return through


@given(RATES, PAUSES)
def test_no_span_of_time_lets_more_through_than_a_burst_and_the_rate(rate, pauses) -> None:
    through = admitted(rate, list(accumulate(pauses)))
    for first in range(len(through)):
        for last in range(first, len(through)):
            span_s = through[last] - through[first]
            assert last - first + 1 <= rate.burst + rate.per_s * span_s + 1e-6


@given(RATES, st.integers(1, 60))
def test_who_keeps_to_the_rate_is_never_held_up(rate, count) -> None:
    moments = [number / rate.per_s * (1 + 1e-9) for number in range(count)]
    assert admitted(rate, moments) == moments


@given(RATES, st.floats(0, 1e6))
def test_a_clock_that_was_set_back_adds_nothing(rate, back_s) -> None:
    bucket = Bucket(0.5, 1e6)
    assert rate.refilled(bucket, 1e6 - back_s).tokens == min(0.5, rate.burst)
