"""One variant on one profile: each constraint, each of its three values."""

import dataclasses

import pytest
from hypothesis import given

from ontology.facts import (
    Answer,
    Capacity,
    Constraint,
    Figure,
    Limits,
    Metric,
    Need,
    RuntimeId,
    Sensor,
    SensorNeed,
    Status,
)
from ontology.matching import assess
from tests.core.catalogues import capacities, limits, needs

RUNTIME = RuntimeId("tflite-micro", "2.18", "cmsis_nn")


def arena(value, status=Status.DERIVED, runtime=RUNTIME, board=None):
    return Figure(Metric.ARENA_BYTES, value, status, runtime=runtime, board=board)


NEED = Need(
    variant="1",
    flash_bytes=42_480,
    figures=(arena(22_928),),
    operators={"CONV_2D": 3, "SOFTMAX": 2},
    dtypes=frozenset({"int8", "int32"}),
    sensors=(SensorNeed("microphone", 16_000.0),),
    runtimes=frozenset({"tflite-micro", "litert"}),
)
CAPACITY = Capacity(
    profile="p",
    slot_bytes=65_536,
    arena_budget_bytes=32_768,
    runtime=RUNTIME,
    operators={"CONV_2D": 5, "SOFTMAX": 2, "ADD": 1},
    dtypes=frozenset({"int8", "int32", "float32"}),
    sensors=(Sensor("microphone", 48_000.0),),
    board="nano",
)


def reason(constraint, need=NEED, capacity=CAPACITY, limits=None):
    verdict = assess(need, capacity, limits)
    return next(r for r in verdict.reasons if r.constraint is constraint)


def need_with(**changes):
    return dataclasses.replace(NEED, **changes)


def capacity_with(**changes):
    return dataclasses.replace(CAPACITY, **changes)


def test_a_pair_that_satisfies_everything_fits():
    verdict = assess(NEED, CAPACITY)
    assert verdict.answer is Answer.FITS
    assert [r.constraint for r in verdict.reasons] == list(Constraint)[:6]
    assert (verdict.variant, verdict.profile, verdict.assumed) == ("1", "p", False)


def test_sizes_come_with_their_headroom():
    flash = reason(Constraint.FLASH)
    assert (flash.need, flash.have, flash.unit, flash.headroom) == (42_480, 65_536, "B", 23_056)
    ram = reason(Constraint.RAM, capacity=capacity_with(arena_budget_bytes=8_192))
    assert (ram.need, ram.have, ram.headroom, ram.holds) == (22_928, 8_192, -14_736, False)


def test_an_exact_fit_is_a_fit():
    assert reason(Constraint.RAM, capacity=capacity_with(arena_budget_bytes=22_928)).holds


@pytest.mark.parametrize(
    ("constraint", "need", "capacity"),
    [
        (Constraint.FLASH, {"flash_bytes": None}, {}),
        (Constraint.FLASH, {}, {"slot_bytes": None}),
        (Constraint.RAM, {"figures": ()}, {}),
        (Constraint.RAM, {}, {"arena_budget_bytes": None}),
        (Constraint.RAM, {}, {"runtime": None}),
        (Constraint.OPERATORS, {"operators": None}, {}),
        (Constraint.OPERATORS, {}, {"operators": None}),
        (Constraint.DTYPES, {"dtypes": None}, {}),
        (Constraint.DTYPES, {}, {"dtypes": None}),
        (Constraint.SENSORS, {"sensors": None}, {}),
        (Constraint.SENSORS, {}, {"sensors": None}),
        (Constraint.SENSORS, {}, {"sensors": (Sensor("microphone"),)}),
        (Constraint.RUNTIME, {"runtimes": None}, {}),
        (Constraint.RUNTIME, {}, {"runtime": None}),
    ],
)
def test_an_absent_fact_is_unknown_never_a_fit(constraint, need, capacity):
    pair = need_with(**need), capacity_with(**capacity)
    found = reason(constraint, *pair)
    assert (found.holds, found.headroom) == (None, None)
    assert assess(*pair).answer is Answer.UNKNOWN


def test_one_failure_outweighs_any_unknown():
    verdict = assess(need_with(operators=None, sensors=None), capacity_with(slot_bytes=1))
    assert verdict.answer is Answer.DOES_NOT_FIT


def test_what_needs_nothing_is_satisfied_by_an_unknown_device():
    need = need_with(operators={}, dtypes=frozenset(), sensors=())
    capacity = capacity_with(operators=None, dtypes=None, sensors=None)
    assert assess(need, capacity).answer is Answer.FITS


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ([arena(1, Status.PUBLISHED), arena(2, Status.DERIVED), arena(3, Status.MEASURED)], 3),
        ([arena(1, Status.DERIVED), arena(2, Status.PUBLISHED)], 1),
        ([arena(1, runtime=RuntimeId("tflite-micro")), arena(2)], 2),
        ([arena(1, runtime=RuntimeId("tflite-micro", "", "cmsis_nn")), arena(2, runtime=None)], 1),
        ([arena(1, runtime=RuntimeId("tflite-micro"))], 1),
        ([arena(1, runtime=RuntimeId("tflite-micro", "2.17", "cmsis_nn"))], None),
        ([arena(1, runtime=RuntimeId("tflite-micro", "2.18", "reference"))], None),
        ([arena(1, runtime=RuntimeId("tinyengine"))], None),
        ([arena(1, board="esp32")], None),
        ([arena(1, board="nano"), arena(2)], 1),
        ([arena(1, Status.MEASURED, RuntimeId("tflite-micro")), arena(2)], 1),
        ([arena(1), arena(2)], 2),
        ([arena(float("nan"))], None),
    ],
)
def test_the_best_figure_for_this_runtime_and_board_counts(figures, expected):
    for order in (figures, figures[::-1]):
        assert reason(Constraint.RAM, need_with(figures=tuple(order))).need == expected


def test_missing_operators_are_named_with_what_is_there_instead():
    capacity = capacity_with(operators={"CONV_2D": 2})
    found = reason(Constraint.OPERATORS, capacity=capacity)
    assert found.need == ("CONV_2D v3", "SOFTMAX v2")
    assert found.have == ("CONV_2D v2",)
    assert (found.holds, found.headroom) == (False, None)


def test_missing_tensor_types_are_named():
    found = reason(Constraint.DTYPES, capacity=capacity_with(dtypes=frozenset({"int8"})))
    assert (found.need, found.have, found.holds) == (("int32",), ("int8",), False)


def camera(*shape, rate=30.0):
    return capacity_with(sensors=(Sensor("camera", rate, shape or None),))


@pytest.mark.parametrize(
    ("need", "capacity", "expected"),
    [
        (SensorNeed("camera"), CAPACITY, False),
        (SensorNeed("camera"), camera(), True),
        (SensorNeed("camera", 60.0), camera(), False),
        (SensorNeed("camera", 5.0, (96, 96, 1)), camera(240, 320, 3), True),
        (SensorNeed("camera", 5.0, (96, 96, 3)), camera(240, 320), False),
        (SensorNeed("camera", 5.0, (1, 480, 96)), camera(240, 320), False),
        (SensorNeed("camera", 5.0, (96, 96)), camera(), None),
        (SensorNeed("camera", 60.0, (96, 96)), camera(), False),
        (SensorNeed("camera", 5.0, (1,)), camera(), True),
    ],
)
def test_a_sensor_serves_by_kind_rate_and_shape(need, capacity, expected):
    assert reason(Constraint.SENSORS, need_with(sensors=(need,)), capacity).holds is expected


def test_a_second_sensor_of_the_kind_may_serve():
    both = capacity_with(sensors=(Sensor("microphone", 8_000.0), Sensor("microphone", 16_000.0)))
    assert reason(Constraint.SENSORS, capacity=both).holds is True


def test_unmet_inputs_are_named_with_the_sensors_of_their_kind():
    slow = capacity_with(sensors=(Sensor("microphone", 8_000.0), Sensor("camera")))
    found = reason(Constraint.SENSORS, capacity=slow)
    assert found.need == ("microphone at 16000 Hz",)
    assert found.have == ("microphone at 8000 Hz",)


def test_the_runtime_must_read_the_format():
    found = reason(Constraint.RUNTIME, need_with(runtimes=frozenset({"onnxruntime"})))
    assert (found.need, found.have) == (("onnxruntime",), ("tflite-micro 2.18 cmsis_nn",))
    assert found.holds is False


def test_limits_are_judged_only_where_they_are_set():
    latency = Figure(Metric.LATENCY_MS, 12.0, Status.MEASURED, board="nano")
    need = need_with(figures=(*NEED.figures, latency))
    slow = reason(Constraint.LATENCY, need, limits=Limits(latency_ms=10.0))
    assert (slow.need, slow.have, slow.headroom, slow.holds) == (10.0, 12, -2.0, False)
    verdict = assess(need, CAPACITY, Limits(accuracy=0.9))
    assert verdict.reasons[-1].constraint is Constraint.ACCURACY
    assert verdict.answer is Answer.UNKNOWN


def test_accuracy_must_reach_its_limit():
    accuracy = Figure(Metric.ACCURACY, 0.95, Status.MEASURED)
    found = reason(Constraint.ACCURACY, need_with(figures=(accuracy,)), limits=Limits(accuracy=0.9))
    assert found.holds is True
    assert found.headroom == pytest.approx(0.05)


def test_a_bare_board_marks_its_verdict_assumed():
    assert assess(NEED, capacity_with(assumed=True)).assumed


@given(needs, capacities, limits)
def test_the_answer_follows_from_the_reasons(need, capacity, limit):
    verdict = assess(need, capacity, limit)
    outcomes = [r.holds for r in verdict.reasons]
    assert (verdict.answer is Answer.DOES_NOT_FIT) == (False in outcomes)
    assert (verdict.answer is Answer.FITS) == all(outcome is True for outcome in outcomes)


@given(needs, capacities)
def test_forgetting_a_fact_never_makes_a_fit(need, capacity):
    for name in ("slot_bytes", "arena_budget_bytes", "operators", "dtypes", "sensors"):
        poorer = dataclasses.replace(capacity, **{name: None})
        if assess(need, capacity).answer is not Answer.FITS:
            assert assess(need, poorer).answer is not Answer.FITS
