"""Which of several is the best: the order, the reward and the weights, by their rules."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontology.facts import Answer, Limits
from ontology.matching import (
    LatencyTarget,
    Ranking,
    Weights,
    assess,
    merit_of,
    parse_weights,
    rank,
    reward,
    weighted_merit,
)
from tests.core.catalogues import capacities, needs

accuracies = st.floats(0.01, 1)
latencies = st.floats(0.1, 1000)


@given(accuracies, latencies, latencies)
def test_the_hard_reward_is_the_accuracy_within_the_target_and_less_above(
    accuracy: float, latency: float, target: float
) -> None:
    found = reward(accuracy, latency, LatencyTarget(target))
    if latency <= target:
        assert found == pytest.approx(accuracy)
    else:
        assert found == pytest.approx(accuracy * target / latency)


@given(accuracies, latencies, latencies, st.floats(-1, 0))
def test_the_soft_reward_is_the_equation(
    accuracy: float, latency: float, target: float, exponent: float
) -> None:
    found = reward(accuracy, latency, LatencyTarget(target, exponent, exponent))
    assert math.log(found) == pytest.approx(
        math.log(accuracy) + exponent * (math.log(latency) - math.log(target))
    )


@pytest.mark.parametrize(("accuracy", "latency"), [(None, 5.0), (0.5, None), (0.5, 0.0)])
def test_without_both_figures_there_is_no_reward(accuracy, latency) -> None:
    assert reward(accuracy, latency, LatencyTarget(10.0)) is None


@given(st.lists(needs, max_size=4, unique_by=lambda need: need.variant), capacities)
def test_the_order_is_by_answer_then_merit_with_the_unknown_last(many, capacity) -> None:
    verdicts = [assess(need, capacity) for need in many]
    merit = {need.variant: merit_of(need, capacity, v, Ranking())
             for need, v in zip(many, verdicts, strict=True)}  # fmt: skip
    ordered = rank(verdicts, merit)
    assert sorted(v.variant for v in ordered) == sorted(v.variant for v in verdicts)
    places = [list(Answer).index(Answer.FITS) if v.answer is Answer.FITS else
              2 if v.answer is Answer.DOES_NOT_FIT else 1 for v in ordered]  # fmt: skip
    assert places == sorted(places)
    for first, second in zip(ordered, ordered[1:], strict=False):
        if first.answer is second.answer and merit[second.variant] is not None:
            assert merit[first.variant] is not None
            assert merit[first.variant] >= merit[second.variant]


@given(needs, capacities)
def test_a_weight_on_what_is_not_known_leaves_no_merit(need, capacity) -> None:
    verdict = assess(need, capacity, Limits(latency_ms=5.0))
    shares = {reason.constraint.value: reason.headroom for reason in verdict.reasons}
    for name in ("flash", "ram", "latency"):
        found = weighted_merit(verdict, 0.5, Weights(accuracy=1, **{name: 1}))
        assert found is None or shares[name] is not None
    assert weighted_merit(verdict, None, Weights(accuracy=1)) is None
    assert weighted_merit(verdict, 0.5, Weights(accuracy=2)) == 1.0
    assert weighted_merit(verdict, None, Weights()) == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308])
def test_numbers_that_nobody_means_are_refused(value) -> None:
    with pytest.raises(ValueError, match="weight of ram"):
        Weights(ram=value)
    with pytest.raises(ValueError, match="beta"):
        LatencyTarget(10.0, beta=value)


@pytest.mark.parametrize("latency_ms", [0.0, -1.0, math.nan, math.inf])
def test_a_target_is_a_time(latency_ms) -> None:
    with pytest.raises(ValueError, match="above 0"):
        LatencyTarget(latency_ms)


def test_a_reward_beyond_all_numbers_is_still_one() -> None:
    assert math.isfinite(reward(0.9, 1e300, LatencyTarget(1e-3, beta=100.0)))


def test_weights_are_read_from_words() -> None:
    assert parse_weights("accuracy=1, ram=0.5") == Weights(accuracy=1.0, ram=0.5)


@pytest.mark.parametrize(
    "text, said", [("speed=1", "'speed' has no weight"), ("ram=much", "no number"), ("", "''")]
)
def test_words_that_are_no_weights_are_named(text, said) -> None:
    with pytest.raises(ValueError, match=said):
        parse_weights(text)
