"""Many on many says what one on one says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ontology.facts import Answer, Constraint, Figure, Metric, Need, Reason, Status, Verdict
from ontology.matching import (
    accuracy_of,
    assess,
    explain,
    match_all,
    qualities,
    quality_of,
    rank,
    restrict,
)
from ontology.matching.columns import CapacityColumns
from ontology.matching.fitting import FittingIndex
from ontology.matching.population import FleetIndex, Population
from ontology.matching.rules import RULES
from ontology.matching.table import FAILS, HOLDS, UNKNOWN
from tests.core.catalogues import capacities, needs

CODE = {True: HOLDS, None: UNKNOWN, False: FAILS}


@given(st.lists(needs, max_size=4), st.lists(capacities, max_size=4))
def test_the_table_equals_assess(many_needs, many_capacities):
    table = match_all(many_needs, many_capacities)
    for row, need in enumerate(many_needs):
        for column, capacity in enumerate(many_capacities):
            expected = assess(need, capacity)
            assert table.answer(row, column) is expected.answer
            assert table.verdict(row, column) == expected
            for reason in expected.reasons:
                assert table.holds[reason.constraint][row, column] == CODE[reason.holds]
    assert len(list(table.verdicts())) == len(many_needs) * len(many_capacities)


@given(
    st.lists(needs, max_size=3),
    st.lists(capacities, max_size=3),
    st.sets(st.sampled_from(list(RULES)), min_size=1),
)
def test_asking_some_constraints_only_equals_leaving_the_others_out(many, places, only):
    table = match_all(many, places, only=only)
    assert set(table.holds) == only
    for row, need in enumerate(many):
        for column, capacity in enumerate(places):
            expected = assess(need, capacity, only=only)
            assert expected == restrict(assess(need, capacity), only)
            assert table.answer(row, column) is expected.answer
            assert table.verdict(row, column) == expected


def verdict(variant, answer=Answer.FITS, headroom=0):
    ram = Reason(Constraint.RAM, 100 - headroom, 100, "B", headroom, headroom >= 0)
    return Verdict(variant, "p", answer, (ram,))


def names(verdicts):
    return [found.variant for found in verdicts]


def test_the_more_accurate_one_ranks_first():
    order = rank([verdict("a"), verdict("b"), verdict("c")], {"a": 0.9, "b": 0.95})
    assert names(order) == ["b", "a", "c"]


def test_headroom_decides_between_equals_then_the_name():
    order = rank([verdict("b"), verdict("a"), verdict("c", headroom=50)], {})
    assert names(order) == ["c", "a", "b"]


def test_what_does_not_fit_ranks_last_however_accurate():
    unfit = verdict("a", Answer.DOES_NOT_FIT, -10)
    order = rank([unfit, verdict("b", Answer.UNKNOWN), verdict("c")], {"a": 1.0})
    assert names(order) == ["c", "b", "a"]


def test_accuracy_is_the_variants_own_not_one_boards():
    on_a_board = Figure(Metric.ACCURACY, 0.5, Status.MEASURED, board="nano")
    published = Figure(Metric.ACCURACY, 0.9, Status.PUBLISHED)
    assert accuracy_of(Need("v", figures=(on_a_board, published))) == 0.9
    assert accuracy_of(Need("v", figures=(on_a_board,))) is None


def test_networks_are_compared_by_one_measure_and_never_across_two():
    def judged(name: str, *figures: tuple[Metric, float]) -> Need:
        return Need(name, figures=tuple(Figure(m, v, Status.MEASURED) for m, v in figures))

    one, two = judged("one", (Metric.R2, 0.9)), judged("two", (Metric.R2, -0.5))
    assert qualities([one, two]) == {"one": 0.9, "two": -0.5}
    right = judged("right", (Metric.R2, 0.2), (Metric.ACCURACY, 0.6))
    assert qualities([one, right]) == {"one": None, "right": 0.6}
    assert [quality_of(each) for each in (one, right, Need("none"))] == [0.9, 0.6, None]
    assert accuracy_of(one) is None
    assert qualities([Need("none")]) == {"none": None}


def test_reasons_read_as_sentences():
    def said(constraint, need, have, unit="", headroom=None, holds=None):
        return explain(Reason(constraint, need, have, unit, headroom, holds))

    assert said(Constraint.RAM, 22_928, 8_192, "B", -14_736, False) == (
        "needs 22,928 B of arena, has 8,192 B: 14,736 B short"
    )
    assert said(Constraint.FLASH, 10, 30, "B", 20, True).endswith("has 30 B: 20 B to spare")
    assert said(Constraint.RAM, None, 8_192, "B").endswith("is not known for this runtime")
    assert said(Constraint.FLASH, 10, None, "B").endswith("what the device has is not known")
    assert said(Constraint.OPERATORS, ("ADD v2",), ("ADD v1",), holds=False) == (
        "lacks the operators ADD v2 (has ADD v1)"
    )
    assert said(Constraint.SENSORS, ("camera",), (), holds=None) == "may lack the sensors camera"
    assert said(Constraint.DTYPES, (), (), holds=True) == "has all the tensor types that it needs"
    assert said(Constraint.DTYPES, None, None) == "which tensor types it needs is not known"
    assert said(Constraint.RUNTIME, ("a", "b"), ("c 1",), holds=False) == (
        "needs one of a, b; the device's runtime is c 1"
    )
    assert said(Constraint.RUNTIME, None, ("c",)) == "which runtimes can run it is not known"
    assert said(Constraint.LATENCY, 10.0, 12.0, "ms", -2.0, False) == (
        "must answer within 10 ms, takes 12 ms: 2 ms too much"
    )
    assert said(Constraint.ACCURACY, 0.95, 0.9, "1", -0.05, False).endswith(
        "reaches 0.9: 0.05 short"
    )


@given(needs, capacities)
def test_every_reason_can_be_said(need, capacity):
    for reason in assess(need, capacity).reasons:
        assert explain(reason)


@given(
    st.lists(needs, min_size=1, max_size=4),
    st.lists(capacities, min_size=1, max_size=20),
    st.none() | st.sets(st.sampled_from(list(RULES))),
)
def test_what_surely_fits_is_found_without_judging_every_pair(many_needs, many_capacities, only):
    table = match_all(many_needs, many_capacities, only)
    index = FittingIndex(CapacityColumns.of(many_capacities))
    for row, need in enumerate(many_needs * 2):  # the second time out of memory
        fitting = [
            place
            for place, capacity in enumerate(many_capacities)
            if assess(need, capacity, only=only).answer is Answer.FITS
        ]
        assert index.fitting(need, only).tolist() == fitting
        assert table.fitting(row % len(many_needs)).tolist() == fitting


def test_among_no_capacities_nothing_fits():
    assert FittingIndex(CapacityColumns.of([])).fitting(Need("v", operators={"ADD": 1})).size == 0


@given(
    st.lists(st.integers(-1, 39), max_size=400),
    st.sets(st.integers(0, 39)),
    st.sampled_from([1, 50, 200]),  # of profiles with few devices, with some and with many
)
def test_the_devices_of_profiles_are_those_that_have_one_of_them(drawn, chosen, fold):
    profile_of = np.repeat(np.array(drawn, dtype=np.int32), fold)
    population = Population(profile_of, 40)
    mask = np.isin(np.arange(40), list(chosen))
    found = population.having(np.flatnonzero(mask[population.order]))
    expected = np.flatnonzero(np.isin(profile_of, list(chosen)))
    assert np.sort(found).tolist() == expected.tolist()
    assert population.counts(mask[np.newaxis]).tolist() == [len(expected)]


@given(
    st.lists(needs, min_size=1, max_size=3),
    st.lists(capacities, min_size=1, max_size=6),
    st.lists(st.integers(-1, 5), max_size=40),
)
def test_a_variants_devices_are_those_whose_profile_it_fits(many_needs, many_capacities, drawn):
    places = [min(place, len(many_capacities) - 1) for place in drawn]
    index = FleetIndex(many_capacities, np.array(places, dtype=np.int32))
    for need in many_needs:
        answers = [assess(need, capacity).answer for capacity in many_capacities]
        expected = [
            device
            for device, place in enumerate(places)
            if place >= 0 and answers[place] is Answer.FITS
        ]
        assert np.sort(index.devices(need)).tolist() == expected
