"""Figures that cannot both be right are found, and no others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontology.facts import Figure, Metric, RuntimeId, Status
from ontology.matching import conflicts
from tests.core.catalogues import figures

SAID = Figure(
    Metric.LATENCY_MS, 100.0, Status.PUBLISHED, "a paper", RuntimeId("litert"), "nano", "x", "cold"
)
OTHER = replace(SAID, value=150.0, source="another paper")


def test_two_sources_for_one_thing_contradict_each_other() -> None:
    assert list(conflicts([SAID, OTHER])) == [(0, 1)]
    assert list(conflicts([SAID, replace(OTHER, status=Status.MEASURED)])) == [(0, 1)]


@pytest.mark.parametrize(
    "change",
    [
        {"value": 100.9},  # rounding
        {"source": "a paper"},
        {"board": "esp32"},
        {"runtime": RuntimeId("litert", "2")},
        {"dataset": "y"},
        {"conditions": "warm"},
        {"metric": Metric.ARENA_BYTES},
        {"status": Status.DERIVED},  # a prediction may be wrong
        {"value": float("nan")},
    ],
)
def test_what_is_about_something_else_does_not(change) -> None:
    assert list(conflicts([SAID, replace(OTHER, **change)])) == []


@given(st.lists(figures, max_size=6), st.randoms())
def test_the_order_of_the_figures_does_not_matter(many, random) -> None:
    def found(listed):
        return {frozenset((id(listed[a]), id(listed[b]))) for a, b in conflicts(listed)}

    shuffled = random.sample(many, len(many))
    assert found(many) == found(shuffled)
