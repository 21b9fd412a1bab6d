"""Online adaptation on frozen int8 features: the rules, the drifts, the experiment's command."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.compression.digits import DigitImages, load_split
from orchestrator.compression.experiments.drifts import DRIFTS
from orchestrator.compression.experiments.table import print_losses, print_table, regained

pytestmark = pytest.mark.slow  # the rules stand beside the recipe, which loads torch


def blobs(seed: int, samples: int):
    """Three classes of features that overlap a little, far from the origin."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, samples)
    centres = random.normal(0, 3, (3, 8)) + 10
    return (centres[labels] + random.normal(0, 1, (samples, 8))).astype(np.float32), labels


def right(layer, features, labels) -> float:
    return float(((features @ layer[:-1] + layer[-1]).argmax(1) == labels).mean())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_layer_learns_what_it_is_shown(seed: int) -> None:
    from orchestrator.compression.experiments.online_adaptation import standardised

    features, labels = blobs(seed, 400)
    start = np.zeros((9, 10), np.float32)
    learnt = standardised(start, features[:300], labels[:300], 0.05)
    assert right(learnt, features[300:], labels[300:]) > 0.75
    assert not start.any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.floats(0.01, 100))
def test_the_standardised_rule_does_not_care_for_units(seed: int, factor: float) -> None:
    from orchestrator.compression.experiments.online_adaptation import standardised

    features, labels = blobs(seed, 200)
    start = np.zeros((9, 10), np.float32)
    plain = standardised(start, features[:100], labels[:100], 0.05)
    scaled = np.float32(factor)
    other = standardised(start, features[:100] * scaled, labels[:100], 0.05)
    agree = (features @ plain[:-1] + plain[-1]).argmax(1) == (
        features * scaled @ other[:-1] + other[-1]
    ).argmax(1)
    assert agree.mean() > 0.95


@pytest.mark.parametrize("name", DRIFTS)
def test_a_drift_changes_the_stream_and_not_its_argument(name: str) -> None:
    held_out = load_split(0).held_out
    before = held_out.images.copy(), held_out.labels.copy()
    drifted = DRIFTS[name](held_out)
    assert isinstance(drifted, DigitImages)
    assert drifted.images.shape == held_out.images.shape
    assert drifted.images.dtype == np.float32
    assert drifted.images.min() >= 0 and drifted.images.max() <= 1
    changed = (drifted.images != before[0]).any() or (drifted.labels != before[1]).any()
    assert changed
    assert np.array_equal(held_out.images, before[0])
    assert np.array_equal(held_out.labels, before[1])


def test_on_the_smallest_file_half_of_a_failing_lamps_cost_comes_back() -> None:
    from orchestrator.compression.experiments.online_adaptation import measure
    from tests.orchestrator.digit_models import well_built

    cells = list(measure(well_built("nano")["nano"].data, "nano", load_split(0).held_out, 0))
    (cell,) = [
        cell
        for cell in cells
        if (cell.drift, cell.rule) == ("darken_to_tenth", "standardised")
        and (cell.learning_rate, cell.samples) == (0.05, 300)
    ]
    assert cell.before - cell.drifted >= 0.15
    assert cell.adapted - cell.drifted >= 0.5 * (cell.before - cell.drifted)
    assert cell.loss_adapted < cell.loss_drifted


def row(**fields) -> dict:
    return {
        "variant": "nano",
        "drift": "fog",
        "rule": "plain",
        "learning_rate": 0.05,
        "samples": 150,
        "before": 0.9,
        "drifted": 0.5,
        "adapted": 0.7,
    } | fields


def test_the_share_regained_may_be_a_loss() -> None:
    assert regained(row()) == pytest.approx(0.5)
    assert regained(row(adapted=0.3)) == pytest.approx(-0.5)
    assert regained(row(drifted=0.9)) == 1.0


def test_losses_are_counted_beside_wins(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row(), row(adapted=0.3), row(drifted=0.8)]
    print_losses(rows)
    print_table(rows)
    said = capsys.readouterr().out
    assert "│ 3     │ 1" in said
    assert "0.300" in said


def test_the_command_writes_every_cell(monkeypatch, tmp_path, capsys) -> None:
    from orchestrator.compression.experiments import online_adaptation
    from orchestrator.compression.family import digit_family

    smallest = digit_family(10).only(["nano"]).with_epochs(1)
    monkeypatch.setattr(online_adaptation, "digit_family", lambda seed: smallest)
    out = tmp_path / "bench" / "cells.json"
    monkeypatch.setattr(sys, "argv", ["online_adaptation", "--seeds", "10", "--out", str(out)])
    online_adaptation.main()
    cells = json.loads(out.read_text())
    assert len(cells) == len(DRIFTS) * 2 * 6 * 2
    assert {cell["seed"] for cell in cells} == {10}
    assert "nano" in capsys.readouterr().out
