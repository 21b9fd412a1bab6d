"""What filters of devices say, and what is said of those that say nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.selection.language import MAX_LENGTH, parse_filter
from registry.selection.terms import (
    Ago,
    Comparator,
    Comparison,
    Every,
    FilterError,
    Kind,
    Known,
    Not,
    Some,
)

FIELDS = {
    "board": Kind.TEXT,
    "sensor": Kind.NAME,
    "slot": Kind.BYTES,
    "clock": Kind.NUMBER,
    "online": Kind.TRUTH,
    "seen": Kind.MOMENT,
}
ONLINE = Comparison("online", Comparator.EQUAL, (True,))
SPARE = Comparison("board", Comparator.EQUAL, ("spare",))


def read(text: str):
    return parse_filter(text, FIELDS)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("online", ONLINE),
        ("online = yes", ONLINE),
        ("(((online)))", ONLINE),
        ("not online", Not(ONLINE)),
        ("online != true", Not(ONLINE)),
        ('board = "spare"', SPARE),
        ("board=spare AND online", Every((SPARE, ONLINE))),
        ("board = spare or online and online", Some((SPARE, Every((ONLINE, ONLINE))))),
        ("(board = spare or online) and online", Every((Some((SPARE, ONLINE)), ONLINE))),
        ("board in (spare, x)", Comparison("board", Comparator.EQUAL, ("spare", "x"))),
        (r'board = "a \"b\" \\c"', Comparison("board", Comparator.EQUAL, (r'a "b" \c',))),
        ("board ~ nano-*", Comparison("board", Comparator.LIKE, ("nano-*",))),
        (
            "board = http://example.org/x",
            Comparison("board", Comparator.EQUAL, ("http://example.org/x",)),
        ),
        ("slot >= 64 KiB", Comparison("slot", Comparator.AT_LEAST, (65536,))),
        ("slot<64kB", Comparison("slot", Comparator.LESS, (64000,))),
        (
            "slot = 1.5 MiB and online",
            Every((Comparison("slot", Comparator.EQUAL, (1572864,)), ONLINE)),
        ),
        ("clock > 64000000", Comparison("clock", Comparator.MORE, (64_000_000,))),
        ("seen <= now-2h", Comparison("seen", Comparator.AT_MOST, (Ago(timedelta(hours=2)),))),
        (
            "seen > 2026-11-26T12:30+02:00",
            Comparison("seen", Comparator.MORE, (datetime(2026, 11, 26, 10, 30, tzinfo=UTC),)),
        ),
        ("seen is known", Known("seen")),
        ("seen is unknown", Not(Known("seen"))),
    ],
)
def test_what_it_says(text, meaning):
    assert read(text) == meaning


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The filter is empty. Fields are board, clock"),
        ("x" * (MAX_LENGTH + 1), "longer than 4,000 characters"),
        ("bord = x", r"no field bord \(character 1\). Did you mean board\? Fields are"),
        ("online and slot", r"slot is compared with nothing \(character 12\)"),
        ("board < x", r"board \(text\) takes =, !=, ~, not < \(character 7\)"),
        ("sensor ~ m*", r"sensor \(name\) takes =, !=, not ~"),
        ("slot = some", r"slot takes a size such as 64 KiB, .*, not 'some' \(character 8\)"),
        ("clock = 1.5", "clock takes a whole number"),
        ("clock = " + "9" * 30, "clock takes a whole number"),
        ("slot = 99999999999 GiB", "slot takes a size"),
        ("online = maybe", "online takes true or false"),
        ("seen = yesterday", "seen takes a time such as"),
        ("seen > now-1y", "seen takes a time such as"),
        ("board = a*b*c*d*e*f*g*h*i*j".replace("=", "~"), "at most 8 stars"),
        ("board =", "ends where something is still to come"),
        ("(online", "ends where something is still to come"),
        ("online and", "ends where something is still to come"),
        ("board = x y", r"cannot be read from 'y' on \(character 11\)"),
        ("online)", r"cannot be read from '\)' on \(character 7\)"),
        ("board in ()", r"cannot be read from '\)' on"),
        ('board = "x', "cannot be read from"),
        ('board = "a\0b"', "no NUL character"),
        ("not " * 900 + "online", "nested more than 50 times"),
    ],
)
def test_what_says_nothing(text, words):
    with pytest.raises(FilterError, match=words):
        read(text)


@given(st.text(max_size=200))
def test_any_text_is_a_filter_or_an_error(text):
    try:
        read(text)
    except FilterError as error:
        assert str(error).strip()


@given(
    st.lists(
        st.sampled_from(
            [
                "online",
                "not",
                "and",
                "or",
                "(",
                ")",
                "board",
                "=",
                "in",
                "is",
                "known",
                "slot",
                "64 KiB",
                ",",
            ]
        ),
        max_size=30,
    )
)
def test_any_order_of_words_is_a_filter_or_an_error(words):
    try:
        read(" ".join(words))
    except FilterError as error:
        assert str(error).strip()
