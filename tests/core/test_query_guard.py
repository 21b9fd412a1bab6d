"""What the guard refuses before anything is run, and how long it takes to look."""

from __future__ import annotations

import gc
import time
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ontology.query_guard import QueryForm, QueryRefused, examine, tokens

LONG = 32_000  # characters
# Quotes, escapes, brackets of IRIs, names, numbers, signs: whatever begins a token or is in one.
LETTERS = "\"'\\<>a.:#@?-{[1_ \n%"


# Linear time takes a fiftieth of it; quadratic time, which a guard once took, ten times as long.
MOST_S = 1.0


def least_s(query: str) -> float:
    """The processor time that looking takes, whatever it comes to: the least of three looks.

    Without the collector, which in a large process takes longer than what is measured.
    """
    gc.disable()
    try:
        return min(_seconds(query) for _ in range(3))
    finally:
        gc.enable()


def _seconds(query: str) -> float:
    began = time.process_time()
    with suppress(QueryRefused):
        examine(query)
    for _ in tokens(query):
        pass
    return time.process_time() - began


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.text(LETTERS, min_size=1, max_size=4), st.sampled_from(["", '"""', "<", "'"]))
@example('\\"', '"')
@example("a.", "")
@example("-a", "")
def test_looking_takes_time_in_proportion(piece: str, opening: str) -> None:
    assert least_s(f"SELECT * {{ SERVICE {opening}" + piece * (LONG // len(piece))) < MOST_S


@pytest.mark.parametrize(
    "query",
    [
        "PREFIX service: <http://example.org/> SELECT * { ?a service:service ?b }",
        "PREFIX service: <http://example.org/> SELECT * { GRAPH service:a { ?a ?b ?c } }",
        "PREFIX service: <http://example.org/> SELECT * FROM NAMED service:a { ?a ?b ?c }",
        "SELECT ?service ?x { ?service ?p ?x }",
        "SELECT * { ?a <http://example.org/SERVICE> 'SERVICE <x> {' } # SERVICE <x> {",
    ],
)
def test_a_service_that_is_only_a_name_passes(query: str) -> None:
    assert examine(query) is QueryForm.SELECT


@pytest.mark.parametrize(
    "query",
    ["SELECT * { ?a ?b 1.5 }", "SELECT * { ?a ?b -1.FILTER(1 < 2) }", "ASK { ?a ?b 'x'@en-GB.}"],
)
def test_numbers_and_dots_are_told_apart(query: str) -> None:
    assert examine(query)
    assert "".join(token.text for token in tokens(query)) == query.replace(" ", "")
