"""The front: nobody on it is needless, and whoever is not on it is."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.policy.pareto import Point, best_per_flash, dominates, front

# Few values, so that many points are equal in something.
costs = st.integers(1, 4)
points = st.lists(
    st.builds(
        Point,
        name=st.just(""),
        score=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
        flash_bytes=costs,
        ram_bytes=st.none() | costs,
        latency_ms=st.none() | costs.map(float),
    ),
    max_size=12,
).map(lambda found: [named(point, str(place)) for place, point in enumerate(found)])


def named(point: Point, name: str) -> Point:
    return Point(name, point.score, point.flash_bytes, point.ram_bytes, point.latency_ms)


@given(points)
def test_no_point_of_the_front_is_dominated(found: list[Point]) -> None:
    kept = front(found)
    assert not any(dominates(one, other) for one in found for other in kept)


@given(points)
def test_whoever_is_left_out_is_dominated_by_one_of_the_front(found: list[Point]) -> None:
    kept = front(found)
    for point in found:
        assert point in kept or any(dominates(other, point) for other in kept)


@given(points, st.integers(0, 2**16))
def test_the_order_of_the_points_makes_no_difference(found: list[Point], seed: int) -> None:
    shuffled = random.Random(seed).sample(found, len(found))
    assert front(shuffled) == front(found)


@given(points)
def test_a_front_is_its_own_front(found: list[Point]) -> None:
    assert front(front(found)) == front(found)


@given(points)
def test_the_most_accurate_and_the_smallest_are_on_it(found: list[Point]) -> None:
    kept = front(found)
    if found:
        assert max(p.score for p in kept) == max(p.score for p in found)
        assert min(p.flash_bytes for p in kept) == min(p.flash_bytes for p in found)


@given(points)
def test_domination_is_a_strict_order(found: list[Point]) -> None:
    for one in found:
        assert not dominates(one, one)
        for two in found:
            assert not (dominates(one, two) and dominates(two, one))
            for three in found:
                if dominates(one, two) and dominates(two, three):
                    assert dominates(one, three)


@given(points)
def test_the_steps_of_a_plot_rise(found: list[Point]) -> None:
    steps = best_per_flash(found)
    assert all(a.flash_bytes < b.flash_bytes for a, b in zip(steps, steps[1:], strict=False))
    assert all(a.score < b.score for a, b in zip(steps, steps[1:], strict=False))


def test_a_figure_that_is_not_known_beats_none_that_is() -> None:
    known = Point("known", 0.9, 100, 100, 5.0)
    unknown = Point("unknown", 0.9, 100, 100, None)
    assert front([unknown, known]) == [known]
