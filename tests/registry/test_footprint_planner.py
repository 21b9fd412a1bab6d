"""The greedy planner against its own rule and against brute force on small graphs."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.footprint.planner import Buffer, Placement, height, place


def _overlap(one: Placement, other: Placement) -> bool:
    in_time = one.buffer.first <= other.buffer.last and other.buffer.first <= one.buffer.last
    return in_time and one.offset < other.end and other.offset < one.end


def _peak(buffers: list[Buffer]) -> int:
    steps = {buffer.first for buffer in buffers}
    return max(
        (sum(b.size for b in buffers if b.first <= step <= b.last) for step in steps), default=0
    )


def _first_fit(buffers: tuple[Buffer, ...]) -> int:
    """The height when buffers are put, in that order, at the lowest place that is free."""
    placed: list[Placement] = []
    for buffer in buffers:
        candidates = sorted({0, *(other.end for other in placed)})
        free = (
            Placement(buffer, offset)
            for offset in candidates
            if not any(_overlap(Placement(buffer, offset), other) for other in placed)
        )
        placed.append(next(free))
    return height(placed)


@st.composite
def _buffers(draw: st.DrawFn, most: int) -> list[Buffer]:
    sizes = st.integers(1, 8).map(lambda units: units * 16)
    count = draw(st.integers(1, most))
    spans = [sorted(draw(st.tuples(st.integers(0, 6), st.integers(0, 6)))) for _ in range(count)]
    return [Buffer(str(n), draw(sizes), first, last) for n, (first, last) in enumerate(spans)]


@settings(max_examples=300, derandomize=True)
@given(_buffers(12))
def test_live_buffers_never_overlap_and_none_can_be_cheaper_than_the_peak(buffers):
    placements = place(buffers)
    assert [placement.buffer for placement in placements] == buffers
    pairs = ((a, b) for i, a in enumerate(placements) for b in placements[:i])
    assert not any(_overlap(a, b) for a, b in pairs)
    assert height(placements) >= _peak(buffers)
    assert height(placements) <= sum(buffer.size for buffer in buffers)


@settings(max_examples=120, derandomize=True, deadline=None)
@given(_buffers(5))
def test_the_plan_is_a_first_fit_and_so_never_below_the_best_one(buffers):
    best = min(_first_fit(order) for order in permutations(buffers))
    by_size = sorted(range(len(buffers)), key=lambda n: (-buffers[n].size, -n))
    assert height(place(buffers)) == _first_fit(tuple(buffers[n] for n in by_size))
    assert height(place(buffers)) >= best >= _peak(buffers)


def test_of_equal_buffers_the_last_asked_for_lies_lowest():
    """The rule that decides which of two plans TFLite Micro makes."""
    first, second = place([Buffer("a", 64, 0, 1), Buffer("b", 64, 0, 1)])
    assert (first.offset, second.offset) == (64, 0)


def test_an_offline_place_is_kept_and_planned_around():
    fixed, free = place([Buffer("fixed", 32, 0, 3, offset=32), Buffer("free", 64, 1, 2)])
    assert (fixed.offset, free.offset) == (32, 64)


def test_a_gap_that_is_large_enough_is_used():
    low, high = Buffer("low", 64, 0, 5), Buffer("high", 64, 0, 5, offset=128)
    placements = place([low, high, Buffer("mid", 64, 2, 3)])
    assert [placement.offset for placement in placements] == [64, 128, 0]


def test_buffers_that_never_live_together_share_their_place():
    placements = place([Buffer("early", 64, 0, 1), Buffer("late", 48, 2, 3)])
    assert [placement.offset for placement in placements] == [0, 0]
    assert height(placements) == 64
