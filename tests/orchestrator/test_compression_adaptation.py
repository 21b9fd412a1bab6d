"""What devices ship regains what a drift costs, on the family's own files."""

from __future__ import annotations

import pytest

from orchestrator.compression.digits import load_split
from tests.benchmarks.adaptation import DRIFTS, RULES, measure
from tests.benchmarks.adaptation_table import print_losses, print_table, regained

SHIPPED = ("shipped", 0.05, 300)


@pytest.mark.slow
def test_on_the_smallest_file_half_of_what_a_drift_costs_comes_back() -> None:
    from tests.orchestrator.digit_models import well_built

    cells = list(measure(well_built("nano")["nano"].data, "nano", load_split(0).held_out, 0))
    assert {cell.drift for cell in cells} == set(DRIFTS)
    assert {cell.rule for cell in cells} == set(RULES)
    settled = {
        cell.drift: cell
        for cell in cells
        if (cell.rule, cell.learning_rate, cell.samples) == SHIPPED
    }
    for drift in ("invert", "shift", "permuted_labels"):
        cell = settled[drift]
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
