"""Milliseconds and millijoules: what is carried is what boards' measurements give."""

from __future__ import annotations

import json
import math

import pytest

from registry.footprint.board_calibration import calibrate, read_ratios, read_submissions
from registry.footprint.core_speed import SPEEDS_FILE, core_speeds
from registry.footprint.description import Board, describe
from registry.footprint.macs import count_macs
from registry.footprint.reference_networks import REFERENCE_NETWORKS
from tests.registry.measured import model_bytes
from tests.registry.tiny_networks import dense

KEYWORDS = "ren/ARM_DS_CNN_Small_.tflite"
# Banbury et al., "MLPerf Tiny Benchmark", 2021: millions of multiply-accumulates.
PUBLISHED_MEGA_MACS = {"ad": 0.264, "kws": 2.66, "ic": 12.5, "vww": 7.49}


def test_the_carried_speeds_are_those_that_the_boards_give(data_dir):
    found = calibrate(list(read_submissions(data_dir)), read_ratios(data_dir))
    assert json.loads(SPEEDS_FILE.read_text()) == found


@pytest.mark.parametrize("name", REFERENCE_NETWORKS)
def test_the_benchmarks_networks_have_their_published_size(name):
    macs = count_macs(REFERENCE_NETWORKS[name]()).macs
    assert macs == pytest.approx(PUBLISHED_MEGA_MACS[name] * 1e6, rel=0.01)


def test_a_core_with_one_instruction_at_a_time_takes_a_cycle_for_each():
    """The Cortex-M4 issues one; what is carried comes from other facts and must agree."""
    speed = core_speeds().cycles_per_instruction["cortex-m4"]
    assert speed.value * (1 + speed.error) > 1
    assert core_speeds().cycles_per_instruction["cortex-m7"].value < speed.value


def test_a_clock_scales_it_and_the_error_is_told(data_dir):
    data = model_bytes(data_dir, KEYWORDS)
    slow, fast = (
        describe(data, board=Board("b", "cortex-m4f", clock_hz)).latency_ms
        for clock_hz in (64_000_000, 128_000_000)
    )
    assert slow.value == pytest.approx(2 * fast.value, rel=1e-3)
    assert slow.error == core_speeds().cycles_per_instruction["cortex-m4"].error


@pytest.mark.parametrize(
    "core, clock_hz, kernels",
    [
        ("xtensa-lx6", 240_000_000, "cmsis_nn"),
        ("cortex-m4f", None, "cmsis_nn"),
        ("cortex-m4f", 64_000_000, "reference"),
        ("", 64_000_000, "cmsis_nn"),
    ],
)
def test_what_was_not_measured_has_no_figure(data_dir, core, clock_hz, kernels):
    data = model_bytes(data_dir, KEYWORDS)
    found = describe(data, board=Board("b", core, clock_hz), kernels=kernels)
    assert found.latency_ms is None
    assert found.energy_mj is None


def test_float_networks_have_no_figure(data_dir):
    data = model_bytes(data_dir, "tflite-micro/hello_world_float.tflite")
    found = describe(data, board=Board("b", "cortex-m4f", 64_000_000))
    assert found.instructions is not None
    assert found.latency_ms is None


def test_energy_is_of_boards_whose_power_was_measured(data_dir):
    board = Board("nucleo-l4r5zi", "cortex-m4f", 120_000_000)
    said = describe(model_bytes(data_dir, KEYWORDS), board=board).as_json()
    energy, latency = said["energy_mj"], said["latency_ms"]
    power = core_speeds().power_mw[board.slug]
    assert energy["value"] == pytest.approx(latency["value"] * power.value / 1e3, rel=1e-3)
    assert math.isclose(
        energy["error"], (1 + latency["error"]) * (1 + power.error) - 1, abs_tol=1e-3
    )
    assert (energy["board"], latency["core"]) == (board.slug, board.core)


def test_a_layer_of_nothing_known_on_any_board_says_so():
    assert describe(dense()).latency_ms is None
