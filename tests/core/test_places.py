"""Shares of the places: nobody takes them all, and the last are for those who have none."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontology.places import NoPlace, Places


def test_an_asker_has_a_share() -> None:
    places = Places(size=6)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(places.one("ada", 2, 0.0))
        with pytest.raises(NoPlace) as refusal, places.one("ada", 2, 0.01):
            pass
        assert refusal.value.own
        held.enter_context(places.one("bob", 2, 0.0))


def test_the_last_places_are_for_those_who_have_none() -> None:
    places = Places(size=3, kept=1)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(places.one("ada", 9, 0.0))
        with pytest.raises(NoPlace) as refusal, places.one("ada", 9, 0.0):
            pass
        assert not refusal.value.own
        held.enter_context(places.one("bob", 9, 0.0))
        with pytest.raises(NoPlace), places.one("eve", 9, 0.0):
            pass


def test_a_place_that_becomes_free_is_taken_by_whoever_waits() -> None:
    places = Places(size=1)
    served = threading.Event()

    def wait() -> None:
        with places.one("bob", 1, 30.0):
            served.set()

    waiting = threading.Thread(target=wait)
    with places.one("ada", 1, 0.0):
        waiting.start()
        assert not served.is_set()
    waiting.join(30.0)
    assert served.is_set()
    assert places.taken == 0


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=60))
def test_no_bound_is_ever_crossed(steps: list[tuple[str, bool]]) -> None:
    """Askers come and go in any order, two at once each, on five places of which two are kept."""
    places, running = Places(size=5, kept=2), Counter[str]()
    held: dict[str, list[ExitStack]] = {asker: [] for asker in "abcd"}
    for asker, comes in steps:
        if not comes:
            if held[asker]:
                held[asker].pop().close()
                running[asker] -= 1
            continue
        stack, free = ExitStack(), 5 - running.total()
        own = running[asker]
        try:
            stack.enter_context(places.one(asker, 2, 0.0))
        except NoPlace as refusal:
            assert refusal.own == (own == 2)
            assert own == 2 or free == 0 or (own > 0 and free <= 2)
        else:
            held[asker].append(stack)
            running[asker] += 1
            assert own < 2
            assert free > (2 if own else 0)
        assert places.taken == running.total()
