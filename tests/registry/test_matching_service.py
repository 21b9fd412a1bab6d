"""Devices against variants, at the cost of profiles."""

from __future__ import annotations

import pytest

from ontology.facts import Answer, Constraint, Figure, Limits, Metric, RuntimeId, Status
from ontology.matching import restrict
from registry.models import Device, Variant
from registry.services import measurements
from registry.services.matching import (
    assess_all,
    assess_pair,
    choose_variants,
    devices_with,
    judge_profiles,
    judge_variants,
)
from registry.services.networks import open_release

pytestmark = pytest.mark.django_db
SMALL = {"arenaBudgetBytes": 10_000, "slotBytes": 12_000}


def failed(verdict) -> set[str]:
    return {reason.constraint.value for reason in verdict.reasons if reason.holds is False}


def test_a_pair_gets_one_reason_a_constraint_with_its_headroom(make_device, make_variant) -> None:
    verdict = assess_pair(make_device("cam-01"), make_variant("base"))
    assert verdict.answer is Answer.FITS
    reasons = {reason.constraint: reason for reason in verdict.reasons}
    assert list(reasons) == list(Constraint)[:6]
    assert reasons[Constraint.FLASH].headroom == 131072 - 10_000
    assert reasons[Constraint.RAM].headroom == 65536 - 20_000


@pytest.mark.parametrize(
    ("capacity", "constraint"),
    [
        ({"slotBytes": 9_999}, "flash"),
        ({"arenaBudgetBytes": 19_999}, "ram"),
        ({"operators": {"CONV_2D": 3}}, "operators"),
        ({"operators": {"CONV_2D": 2, "SOFTMAX": 2}}, "operators"),
        ({"dtypes": ["int8"]}, "dtypes"),
        ({"sensors": []}, "sensors"),
        ({"runtime": {"tf:name": "onnxruntime"}}, "runtime"),
    ],
)
def test_each_constraint_can_fail_by_itself(
    make_device, make_variant, capacity, constraint: str
) -> None:
    verdict = assess_pair(make_device("cam-01", **capacity), make_variant("base"))
    assert verdict.answer is Answer.DOES_NOT_FIT
    assert failed(verdict) >= {constraint}


def test_a_device_without_a_description_is_unknown(make_device, make_variant) -> None:
    verdict = assess_pair(make_device("cam-01", described=False), make_variant("base"))
    assert verdict.answer is Answer.UNKNOWN
    assert failed(verdict) == set()


def test_an_arena_for_other_kernels_is_no_fit(make_device, make_variant) -> None:
    verdict = assess_pair(make_device("cam-01"), make_variant("base", kernels="reference"))
    assert verdict.answer is Answer.UNKNOWN


def test_a_measured_arena_outranks_a_derived_one(make_device, make_variant) -> None:
    device, variant = make_device("cam-01"), make_variant("base", arena=20_000)
    runtime = RuntimeId("tflite-micro", "2024", "cmsis_nn")
    measured = Figure(Metric.ARENA_BYTES, 70_000, Status.MEASURED, "bench", runtime)
    measurements.record(variant, [measured])
    assert failed(assess_pair(device, variant)) == {"ram"}


def test_a_bare_board_is_judged_with_a_reserve_and_marked(
    boards, make_bare_td, make_variant, settings
) -> None:
    from registry.services.things import describe_device

    settings.BARE_BOARD_RAM_RESERVE = 0.25
    device = Device.objects.create(device_id="bare")
    describe_device(device, make_bare_td("bare", "nucleo-f103rb"))
    verdict = assess_pair(device, make_variant("base"))
    assert verdict.assumed
    ram = next(r for r in verdict.reasons if r.constraint is Constraint.RAM)
    assert ram.have == 20480 * 3 // 4


def test_limits_are_judged_on_request(make_device, make_variant) -> None:
    device, variant = make_device("cam-01"), make_variant("base", accuracy=0.9)
    assert assess_pair(device, variant, Limits(accuracy=0.85)).answer is Answer.FITS
    assert failed(assess_pair(device, variant, Limits(accuracy=0.95))) == {"accuracy"}
    assert assess_pair(device, variant, Limits(latency_ms=5)).answer is Answer.UNKNOWN


def test_every_pair_is_judged(make_device, make_variant) -> None:
    devices = [make_device("cam-01"), make_device("cam-02", **SMALL)]
    make_variant("base")
    make_variant("tiny", size=1000, arena=1000)
    pairs = {
        (pair.device.device_id, pair.variant.name): pair.verdict.answer.value
        for pair in assess_all(devices, Variant.objects.all())
    }
    assert pairs == {
        ("cam-01", "base"): "fits",
        ("cam-02", "base"): "does_not_fit",
        ("cam-01", "tiny"): "fits",
        ("cam-02", "tiny"): "fits",
    }


def test_judging_more_devices_and_variants_costs_no_more_queries(
    make_device, make_variant, django_assert_num_queries, django_assert_max_num_queries
) -> None:
    for number in range(3):
        make_device(f"cam-{number}")
        make_variant(f"variant-{number}")
    with django_assert_max_num_queries(10) as counted:
        assert len(list(assess_all(Device.objects.all(), Variant.objects.all()))) == 9
    first = len(counted)
    for number in range(3, 12):
        make_device(f"cam-{number}", slotBytes=100_000 + number)
        make_variant(f"variant-{number}")
    with django_assert_num_queries(first):
        assert len(list(assess_all(Device.objects.all(), Variant.objects.all()))) == 144


def test_the_most_accurate_variant_that_fits_is_chosen(make_device, make_variant, release) -> None:
    make_variant("large", size=100_000, arena=60_000, accuracy=0.99)
    make_variant("middle", size=11_000, arena=9_000, accuracy=0.95)
    make_variant("tiny", size=1_000, arena=1_000, accuracy=0.8)
    strong, weak = make_device("cam-01"), make_device("cam-02", **SMALL)
    nothing = make_device("cam-03", slotBytes=10, arenaBudgetBytes=10)
    silent = make_device("cam-04", described=False)
    chosen = choose_variants(release, Device.objects.all())
    assert chosen[strong.pk].variant.name == "large"
    assert chosen[weak.pk].variant.name == "middle"
    assert chosen[nothing.pk].variant is None
    assert len(chosen[nothing.pk].verdicts) == 3
    assert chosen[silent.pk] == type(chosen[silent.pk])(None, ())


def test_of_equally_accurate_variants_the_roomier_one_is_chosen(
    make_device, make_variant, release
) -> None:
    make_variant("wide", size=100_000, arena=60_000, accuracy=0.9)
    make_variant("slim", size=10_000, arena=6_000, accuracy=0.9)
    device = make_device("cam-01")
    assert choose_variants(release, [device])[device.pk].variant.name == "slim"


def test_a_measured_accuracy_counts_before_a_published_one(
    make_device, make_variant, release
) -> None:
    boasted = make_variant("boasted", accuracy=0.5)
    measurements.record(boasted, [Figure(Metric.ACCURACY, 0.999, Status.PUBLISHED, "paper")])
    make_variant("honest", accuracy=0.6)
    device = make_device("cam-01")
    assert choose_variants(release, [device])[device.pk].variant.name == "honest"


def test_only_the_releases_own_variants_are_chosen(make_device, make_variant, release) -> None:
    make_variant("base", accuracy=0.9)
    device = make_device("cam-01")
    assert choose_variants(open_release("digits"), [device])[device.pk].variant is None


def test_a_device_is_told_every_variant_in_the_order_of_the_query(
    make_device, make_variant
) -> None:
    make_variant("b")
    make_variant("a", size=1_000_000)
    judged = judge_variants(make_device("cam-01"), Variant.objects.order_by("name"))
    assert [(variant.name, verdict.answer.value) for variant, verdict in judged] == [
        ("a", "does_not_fit"),
        ("b", "fits"),
    ]


def test_devices_are_found_by_what_their_profile_came_to(make_device, make_variant) -> None:
    variant = make_variant("base")
    for number in range(3):
        make_device(f"cam-0{number}")
    make_device("small-1", **SMALL)
    make_device("silent-1", described=False)
    verdicts = judge_profiles(variant)
    found = {
        answer: sorted(d.device_id for d in devices_with(Device.objects.all(), verdicts, answer))
        for answer in Answer
    }
    assert found == {
        Answer.FITS: ["cam-00", "cam-01", "cam-02"],
        Answer.DOES_NOT_FIT: ["small-1"],
        Answer.UNKNOWN: ["silent-1"],
    }
    assert devices_with(Device.objects.all(), verdicts, None).count() == 5


def test_a_verdict_can_be_restricted_to_some_constraints(make_device, make_variant) -> None:
    verdict = assess_pair(make_device("cam-01", sensors=[]), make_variant("base"))
    assert restrict(verdict, [Constraint.SENSORS]).answer is Answer.DOES_NOT_FIT
    memory = restrict(verdict, [Constraint.FLASH, Constraint.RAM])
    assert memory.answer is Answer.FITS
    assert len(memory.reasons) == 2
