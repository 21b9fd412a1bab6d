"""Instruction estimates: what is carried is what the measurements give, and its error holds."""

from __future__ import annotations

import json
import statistics

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.footprint.calibration import (
    calibrate,
    nonnegative_least_squares,
    read_samples,
)
from registry.footprint.latency import COSTS_FILE, instruction_costs, predict_instructions
from registry.formats.tflite import parse
from tests.registry.measured import measured_rows, model_bytes
from tests.registry.tiny_networks import ADD, dense, dense_tree, write


def test_the_carried_costs_are_those_that_the_measurements_give(data_dir):
    carried = json.loads(COSTS_FILE.read_text())
    fitted = calibrate(list(read_samples(data_dir)))
    assert fitted["costs"].keys() == carried["costs"].keys()
    for kind, cost in fitted["costs"].items():
        np.testing.assert_allclose(carried["costs"][kind], cost, rtol=1e-3, atol=1e-3)
    assert abs(fitted["error"] - carried["error"]) < 0.01
    assert carried["median_error"] < 0.25, "over networks that were left out of the fit"


def test_measured_networks_are_met_or_unknown(data_dir):
    errors = []
    for row in measured_rows(data_dir):
        estimate = predict_instructions(parse(model_bytes(data_dir, row["model"])))
        if estimate is not None:
            errors.append(estimate.value / int(row["invoke_instructions"]) - 1)
            assert estimate.error == instruction_costs().error
    assert len(errors) >= 20
    assert statistics.median(map(abs, errors)) < 0.1


def test_kinds_of_work_without_a_basis_get_no_figure(data_dir):
    lstm = parse((data_dir / "tflite-micro/trained_lstm_int8.tflite").read_bytes())
    assert predict_instructions(lstm) is None, "one measured network has an LSTM"
    tree = dense_tree()
    tree["operator_codes"] = [{"builtin_code": ADD, "version": 2}]
    assert predict_instructions(parse(write(tree))) is None, "nothing but an addition"
    assert predict_instructions(parse(dense()), "reference") is None


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.lists(st.integers(-20, 20), min_size=3, max_size=3), min_size=4, max_size=8))
def test_nonnegative_least_squares_is_the_best_nonnegative_fit(rows):
    matrix = np.array(rows, dtype=float)
    target = matrix @ np.array([1.0, -2.0, 0.5]) + 1
    x = nonnegative_least_squares(matrix, target)
    assert (x >= 0).all()
    # Optimality (Karush, Kuhn, Tucker): no coordinate that may grow lowers the error.
    gradient = matrix.T @ (target - matrix @ x)
    scale = 1e-6 * (1 + np.abs(matrix).sum() * np.abs(target).sum())
    assert (gradient <= scale).all()
    assert abs(gradient @ x) <= scale * (1 + np.abs(x).sum())
