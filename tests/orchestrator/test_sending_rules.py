"""When a rollout may send and how much: hours of a place, and a rate."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.policy.rollout import split_by_sizes
from orchestrator.policy.sending import DAYS, WindowError, allowance, most_orders, parse_window

MONDAY = datetime(2030, 1, 7, tzinfo=UTC)
MINUTES = st.integers(0, 24 * 60 - 1)


def at(days: int = 0, hours: float = 0.0) -> datetime:
    return MONDAY + timedelta(days=days, hours=hours)


@pytest.mark.parametrize(
    ("raw", "opened", "closed"),
    [
        ({"from": "08:00", "to": "17:30"}, [at(0, 8), at(3, 17.4)], [at(0, 7.9), at(3, 17.5)]),
        ({"from": "22:00", "to": "05:00"}, [at(0, 22), at(1, 4.9)], [at(0, 21.9), at(1, 5)]),
        ({"from": "22:00", "to": "05:00", "days": ["sun"]}, [at(-1, 23), at(0, 4)], [at(0, 23)]),
        ({"from": "00:00", "to": "00:00", "days": ["mon"]}, [at(0), at(0, 23.9)], [at(1)]),
        ({"from": "06:00", "to": "06:00", "days": ["mon"]}, [at(0, 6), at(1, 5.9)], [at(0, 5.9)]),
        # In Berlin it is one hour later in winter, two in summer.
        (
            {"from": "01:00", "to": "02:00", "timezone": "Europe/Berlin"},
            [at(0, 0.5), datetime(2030, 7, 1, 23, 30, tzinfo=UTC)],
            [at(0, 1.5), datetime(2030, 7, 1, 0, 30, tzinfo=UTC)],
        ),
    ],
)
def test_hours(raw, opened, closed):
    window = parse_window(raw)
    assert window is not None
    assert all(window.is_open(moment) for moment in opened)
    assert not any(window.is_open(moment) for moment in closed)


@given(MINUTES, MINUTES, st.sets(st.sampled_from(DAYS), min_size=1))
def test_a_window_is_open_as_long_as_it_says(begins, ends, days):
    """Counted over a week, minute by minute in UTC, where no hour is lost or doubled."""
    start, stop = (
        time(minute // 60, minute % 60).isoformat("minutes") for minute in (begins, ends)
    )
    window = parse_window({"from": start, "to": stop, "days": sorted(days)})
    assert window is not None
    week = [MONDAY + timedelta(minutes=n) for n in range(0, 7 * 24 * 60)]
    length = (ends - begins) % (24 * 60) or 24 * 60
    assert sum(window.is_open(moment) for moment in week) == length * len(days)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("night", 'has "from" and "to"'),
        ({"from": "22:00"}, 'has "from" and "to"'),
        ({"from": "22:00", "to": "05:00", "until": "x"}, 'has "from" and "to"'),
        ({"from": "25:00", "to": "05:00"}, "times like 22:00, not '25:00'"),
        ({"from": 22, "to": "05:00"}, "times like 22:00, not 22"),
        ({"from": "22:00+02:00", "to": "05:00"}, "named by timezone"),
        ({"from": "22:00", "to": "05:00", "days": []}, "some of mon, tue"),
        ({"from": "22:00", "to": "05:00", "days": "mon"}, "some of mon, tue"),
        ({"from": "22:00", "to": "05:00", "days": ["Monday"]}, "some of mon, tue"),
        ({"from": "22:00", "to": "05:00", "timezone": "Mars"}, "no time zone 'Mars'"),
        ({"from": "22:00", "to": "05:00", "timezone": "../etc"}, "no time zone"),
        ({"from": "22:00", "to": "05:00", "timezone": 1}, "no time zone"),
    ],
)
def test_hours_that_mean_nothing(raw, words):
    with pytest.raises(WindowError, match=words):
        parse_window(raw)


def test_no_window_is_none():
    assert parse_window(None) is None


@given(st.integers(1, 100), st.lists(st.integers(0, 59), max_size=300))
def test_no_minute_has_more_than_the_rate(rate, asked_at):
    sent: list[int] = []
    for second in sorted(asked_at):
        recent = sum(second - moment < 60 for moment in sent)
        room = allowance(rate, recent)
        assert room is not None
        sent += [second] * room
    assert all(sum(0 <= later - first < 60 for later in sent) <= rate for first in sent)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 60))
def test_waves_by_size_take_everybody_once_in_order(sizes, count):
    pieces = split_by_sizes(range(count), sizes)
    assert [item for piece in pieces for item in piece] == list(range(count))
    assert len(pieces) == len(sizes) + 1
    assert all(len(piece) <= size for piece, size in zip(pieces, sizes, strict=False))


@given(MINUTES, MINUTES, st.sets(st.sampled_from(DAYS), min_size=1), st.integers(1, 3), st.data())
@hypothesis_settings(max_examples=40, deadline=None)
def test_no_more_orders_fit_than_the_rate_lets_out(begins, ends, days, per_minute, data):
    """Beside a sender that sends whatever it may, every minute."""
    start, stop = (
        time(minute // 60, minute % 60).isoformat("minutes") for minute in (begins, ends)
    )
    window = parse_window({"from": start, "to": stop, "days": sorted(days)})
    assert window is not None
    first = data.draw(MINUTES)
    minutes = range(first, first + data.draw(st.integers(0, 2 * 24 * 60)))
    moments = [MONDAY + timedelta(minutes=n) for n in minutes]
    greedy = per_minute * sum(window.is_open(moment) for moment in moments)
    span = (at(hours=first / 60), at(hours=(first + len(moments)) / 60))
    most = most_orders(window, per_minute, *span)
    assert most is not None
    # Each stretch of open time rounds up to one minute more.
    assert greedy <= most <= greedy + per_minute * (len(moments) // (24 * 60) + 3)


def test_without_a_rate_any_number_goes_out_if_it_ever_opens():
    night = parse_window({"from": "22:00", "to": "05:00", "days": ["sat"]})
    assert most_orders(night, None, at(0), at(5)) == 0
    assert most_orders(night, None, at(0), at(6)) is None
    assert most_orders(None, None, at(0), at(1)) is None
    assert most_orders(None, 2, at(0), at(hours=1)) == 2 * 61
    assert most_orders(None, 2, at(0), at(0)) == 0
