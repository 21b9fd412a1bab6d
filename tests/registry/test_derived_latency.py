"""Limits of latency and energy are judged by what is worked out where nobody has measured it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client

from ontology.facts import Answer, Constraint, Figure, Limits, Metric, RuntimeId, Status
from ontology.matching import LatencyTarget, Ranking, assess, explain, merit_of
from registry.footprint.core_speed import FLOAT, INT8, pace_of
from registry.footprint.description import Board, describe
from registry.footprint.figures import derived_figures
from registry.models import BoardType, CapabilityProfile, Device, FirmwareBuild, Runtime
from registry.projection.facts import BareBoard, capacity_of, need_of
from registry.services import measurements
from registry.services.networks import open_release, register_variant
from tests.orchestrator.small_networks import small_network

pytestmark = pytest.mark.django_db

NETWORK = small_network(64, 10, 1)
BOARD = "nucleo-l4r5zi"  # its power was measured
ASKED = Limits(latency_ms=1e6, energy_mj=1e6)


def board(slug: str = BOARD, core: str = "cortex-m4f", clock_hz: int | None = 120_000_000):
    facts = {"name": slug, "vendor": "v", "mcu": "m", "source": "s"}
    return BoardType.objects.create(slug=slug, core=core, clock_hz=clock_hz, **facts)


def capacity(on: BoardType, kernels: str = "cmsis_nn"):
    runtime = Runtime.objects.create(name="tflite-micro", version="2026", kernels=kernels)
    firmware = FirmwareBuild.objects.create(
        board=on, name="f", version="1", runtime=runtime, arena_budget_bytes=10**6
    )
    profile = CapabilityProfile.objects.create(board=on, firmware=firmware, digest="d" * 64)
    Device.objects.create(device_id="meter-1", status="accepted", profile=profile)
    return capacity_of(profile, BareBoard(0.5, 0.5))


def variant(data: bytes = NETWORK):
    return register_variant(open_release("meter"), "v", data, sensors=[], accuracy=0.9)


def reasons(need, capacity, limits: Limits = ASKED):
    return {r.constraint: r for r in assess(need, capacity, limits).reasons}


def described(**facts):
    return describe(NETWORK, board=Board(**facts))


def test_it_is_what_describe_says_for_the_board() -> None:
    found = reasons(need_of(variant()), capacity(board()))
    said = described(slug=BOARD, core="cortex-m4f", clock_hz=120_000_000)
    latency, energy = found[Constraint.LATENCY], found[Constraint.ENERGY]
    assert said.latency_ms is not None and said.energy_mj is not None
    assert (latency.have, latency.basis.error) == (said.latency_ms.value, said.latency_ms.error)
    assert (energy.have, energy.basis.error) == (said.energy_mj.value, said.energy_mj.error)
    assert {latency.basis.status, energy.basis.status} == {Status.DERIVED}
    assert (latency.holds, energy.holds) == (True, True)


def test_a_limit_below_it_does_not_fit_and_the_sentence_says_why() -> None:
    need, offered = need_of(variant()), capacity(board())
    verdict = assess(need, offered, Limits(latency_ms=1e-9), only=())
    assert verdict.answer is Answer.DOES_NOT_FIT
    assert "(derived, ± 47 %)" in explain(verdict.reasons[-1])


@pytest.mark.parametrize(
    ("core", "clock_hz", "kernels"),
    [
        ("cortex-m0plus", 48_000_000, "cmsis_nn"),
        ("xtensa-lx7", 240_000_000, "cmsis_nn"),
        ("cortex-m4f", None, "cmsis_nn"),
        ("cortex-m4f", 120_000_000, "reference"),
        ("cortex-m4f", 120_000_000, ""),
    ],
)
def test_without_a_basis_it_is_unknown(core, clock_hz, kernels) -> None:
    offered = capacity(board(core=core, clock_hz=clock_hz), kernels)
    found = reasons(need_of(variant()), offered)
    for constraint in (Constraint.LATENCY, Constraint.ENERGY):
        assert (found[constraint].have, found[constraint].holds) == (None, None)
        assert found[constraint].basis is None


def test_energy_is_unknown_where_the_power_is() -> None:
    found = reasons(need_of(variant()), capacity(board("another")))
    assert found[Constraint.LATENCY].holds is True
    assert found[Constraint.ENERGY].holds is None


def test_instructions_of_another_arithmetic_say_nothing_of_the_time() -> None:
    need, offered = need_of(variant()), capacity(board())
    floats = tuple(
        replace(figure, conditions=FLOAT) if figure.metric is Metric.INSTRUCTIONS else figure
        for figure in need.figures
    )
    assert reasons(replace(need, figures=floats), offered)[Constraint.LATENCY].have is None


def test_measured_before_derived_before_published() -> None:
    row, offered = variant(), capacity(board())
    worked_out = reasons(need_of(row), offered)[Constraint.LATENCY].have
    said = Figure(Metric.LATENCY_MS, 5000.0, Status.PUBLISHED, "a paper", board=BOARD)
    measurements.record(row, [said])
    assert reasons(need_of(fresh(row)), offered)[Constraint.LATENCY].have == worked_out
    seen = replace(said, value=7.5, status=Status.MEASURED, source="a bench")
    measurements.record(row, [seen])
    latency = reasons(need_of(fresh(row)), offered)[Constraint.LATENCY]
    assert (latency.have, latency.basis.source) == (7.5, "a bench")
    assert "(measured)" in explain(latency)


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def test_a_published_one_counts_where_nothing_else_is_known() -> None:
    row, offered = variant(), capacity(board(core="xtensa-lx7"))
    said = Figure(Metric.LATENCY_MS, 5.0, Status.PUBLISHED, "a paper", board=BOARD)
    measurements.record(row, [said])
    latency = reasons(need_of(fresh(row)), offered)[Constraint.LATENCY]
    assert (latency.have, latency.basis.status) == (5.0, Status.PUBLISHED)


def test_the_reward_of_a_target_counts_it_too() -> None:
    need, offered = need_of(variant()), capacity(board())
    ranking = Ranking(target=LatencyTarget(1.0))
    assert merit_of(need, offered, assess(need, offered), ranking) is not None


def test_instructions_are_a_figure_of_their_own() -> None:
    (figure,) = [f for f in derived_figures(describe(NETWORK)) if f.metric is Metric.INSTRUCTIONS]
    predicted = describe(NETWORK).instructions
    assert predicted is not None
    assert (figure.value, figure.error) == (predicted.value, predicted.error)
    assert (figure.status, figure.conditions) == (Status.DERIVED, INT8)
    assert figure.runtime == RuntimeId("tflite-micro", "", "cmsis_nn")


def test_rest_says_what_a_verdict_rests_on(reader: Client) -> None:
    capacity(board())
    row = variant()
    asked = {"device": "meter-1", "variant": row.pk, "latency_ms": 1e6}
    verdict = reader.get("/api/v1/compatibility/", asked).json()
    basis = {r["constraint"]: r["basis"] for r in verdict["reasons"]}
    assert basis["latency"]["status"] == "derived"
    assert basis["latency"]["error"] == pace_of("cortex-m4", 1).error
    assert basis["ram"]["source"] == "TFLite Micro's memory plan, worked out from the file"
    assert basis["sensors"] is None
    shown = reader.get(f"/api/v1/variants/{row.pk}/").json()["measurements"]
    (counted,) = [each for each in shown if each["metric"] == "instructions"]
    assert (counted["status"], counted["error"] > 0) == ("derived", True)
