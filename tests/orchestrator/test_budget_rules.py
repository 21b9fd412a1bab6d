"""How budgets stand to candidates: served, out of reach with the gap, or not found yet."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ontology.facts import Answer, Capacity, Constraint, Limits, Metric, Need, RuntimeId, SensorNeed
from orchestrator.policy.budgets import (
    ALWAYS,
    Budget,
    Reach,
    excess,
    merged,
    standing,
    standings,
)
from orchestrator.policy.footprints import YARDSTICK, Footprint, quality

CAMERA = (SensorNeed("camera", None, (8, 8, 1)),)


def budget(slot: int, arena: int, name: str = "board", **more) -> Budget:
    capacity = Capacity(
        profile=name,
        slot_bytes=slot,
        arena_budget_bytes=arena,
        runtime=RuntimeId("tflite-micro", "2024", "cmsis_nn"),
        operators={"CONV_2D": 7},
        dtypes=frozenset({"int8", "int32"}),
        sensors=(),
        board=YARDSTICK.slug,
    )
    return Budget((name,), capacity, **more)


def need(name: str, flash: int, arena: int, score: float | None = None, **more) -> Need:
    measure = more.pop("measure", Metric.ACCURACY)
    said = {"operators": {"CONV_2D": 3}, "latency_ms": {YARDSTICK.slug: 4.0}, **more}
    sensors = said.pop("sensors", ())
    footprint = Footprint(
        flash_bytes=flash,
        arena_bytes={"cmsis_nn": arena, "reference": arena - 8},
        dtypes=frozenset({"int8"}),
        macs=1000,
        **said,
    )
    assert Footprint.from_json(footprint.as_json()) == footprint
    known = None if score is None else quality(measure, score)
    return footprint.need(name, sensors, known)


def test_the_most_accurate_that_fits_serves() -> None:
    candidates = [
        need("smallest", 10, 10),
        need("modest", 50, 50, 0.8),
        need("best", 90, 90, 0.9),
        need("huge", 200, 90, 0.99),
    ]
    found = standing(budget(100, 100), candidates, candidates[0])
    assert (found.reach, found.candidate, found.score) == (Reach.SERVED, "best", 0.9)


def test_what_the_smallest_fails_is_out_of_reach_with_the_least_known_need_and_the_gap() -> None:
    candidates = [need("smallest", 10, 120), need("wide", 50, 300, 0.9)]
    found = standing(budget(100, 100), candidates, candidates[0])
    assert found.reach is Reach.UNREACHABLE
    (gap,) = found.gaps
    assert (gap.constraint, gap.need, gap.have, gap.missing) == (Constraint.RAM, 120, 100, 20)


def test_what_the_smallest_would_serve_is_only_not_found() -> None:
    candidates = [need("smallest", 10, 10), need("wide", 500, 50, 0.9)]
    found = standing(budget(100, 100), candidates, candidates[0])
    assert found.reach is Reach.NOT_FOUND


def test_a_missing_sensor_is_a_gap_without_a_measure() -> None:
    candidates = [need("smallest", 10, 10, sensors=CAMERA)]
    found = standing(budget(100, 100), candidates, candidates[0])
    assert found.reach is Reach.UNREACHABLE
    (gap,) = found.gaps
    assert (gap.constraint, gap.missing) == (Constraint.SENSORS, None)


def test_an_accuracy_that_nobody_reaches_is_told_with_the_best_known() -> None:
    candidates = [need("smallest", 10, 10), need("one", 20, 20, 0.8), need("two", 30, 30, 0.85)]
    asked = budget(100, 100, limits=Limits(accuracy=0.95))
    found = standing(asked, candidates, candidates[0])
    assert found.reach is Reach.NOT_FOUND
    (gap,) = found.gaps
    assert (gap.constraint, gap.need, gap.have) == (Metric.ACCURACY, 0.95, 0.85)


def test_a_least_score_is_of_the_measure_that_the_task_is_judged_by() -> None:
    asked = budget(100, 100, limits=Limits(accuracy=0.5, measure=Metric.R2))
    good, poor = (need(name, 10, 10, r2, measure=Metric.R2) for name, r2 in (("a", 0.7), ("b", -2)))
    foreign = need("c", 10, 10, 0.99)  # an accuracy, which is no R2
    found = standing(asked, [good, poor, foreign], None)
    assert (found.candidate, found.score) == ("a", 0.7)
    (gap,) = standing(asked, [poor], None).gaps
    assert (gap.constraint, gap.have) == (Metric.R2, -2)
    assert gap.sentence == "R2: 0.5 is asked for, -2 is the best known"


def test_without_a_least_score_a_poor_one_serves_rather_than_none() -> None:
    asked = budget(100, 100, limits=Limits(measure=Metric.R2))
    poor, worse = (need(name, 10, 10, r2, measure=Metric.R2) for name, r2 in (("a", -1), ("b", -2)))
    assert standing(asked, [worse, poor], None).candidate == "a"


def test_a_latency_limit_counts_and_an_unknown_latency_serves_nobody() -> None:
    asked = budget(100, 100, limits=Limits(latency_ms=3.0))
    slow, fast = need("slow", 10, 10, 0.9), need("fast", 10, 10, 0.8, latency_ms={"yardstick": 2})
    blind = need("blind", 10, 10, 0.99, latency_ms={})
    found = standing(asked, [slow, fast, blind], None)
    assert (found.reach, found.candidate) == (Reach.SERVED, "fast")
    (gap,) = standing(asked, [slow], slow).gaps
    assert (gap.constraint, gap.need, gap.have, gap.missing) == (Constraint.LATENCY, 4.0, 3.0, 1.0)
    assert standing(asked, [slow], slow).reach is Reach.UNREACHABLE


def test_equal_budgets_are_one_under_all_names() -> None:
    several = [budget(100, 100, "a"), budget(200, 100, "b"), budget(100, 100, "c")]
    assert [each.names for each in merged(several)] == [("a", "c"), ("b",)]


def test_only_what_is_asked_counts() -> None:
    asked = frozenset({Constraint.FLASH, Constraint.RAM})
    strange = need("strange", 10, 10, 0.9, operators={"SVDF": 1}, sensors=CAMERA)
    assert standing(budget(100, 100, asked=asked), [strange], None).reach is Reach.SERVED
    assert standing(budget(100, 100, asked=ALWAYS), [strange], None).reach is not Reach.SERVED


sizes = st.integers(1, 40)
candidates = st.lists(st.tuples(sizes, sizes, st.none() | st.floats(0, 1)), min_size=1, max_size=8)


@given(sizes, sizes, candidates)
def test_a_budget_is_served_exactly_where_a_trained_candidate_fits(
    slot: int, arena: int, found: list[tuple[int, int, float | None]]
) -> None:
    asked = budget(slot, arena)
    needs = [need(str(n), *each) for n, each in enumerate(found)]
    (result,) = standings([asked], needs)
    fitting = [a for flash, ram, a in found if a is not None and flash <= slot and ram <= arena]
    assert (result.reach is Reach.SERVED) == bool(fitting)
    if fitting:
        assert result.score == max(fitting)
    else:
        assert result.gaps or any(asked.may_serve(each) for each in needs)


@given(sizes, sizes, sizes, sizes)
def test_a_budget_is_overrun_by_nothing_where_all_holds(
    slot: int, arena: int, flash: int, ram: int
) -> None:
    asked, one = budget(slot, arena), need("one", flash, ram)
    fits = replace(asked, limits=Limits()).judge(one).answer is Answer.FITS
    assert fits == (sum(excess(asked, one).values()) == 0)
