"""The experiment on the whole family; every cell is kept, and printed with `pytest -s`."""

from __future__ import annotations

from dataclasses import asdict
from statistics import fmean

import pytest

from orchestrator.compression.digits import load_split
from tests.benchmarks.adaptation_table import print_losses, print_table

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

SEEDS = (10, 11, 12)


def test_what_an_online_layer_regains(record, settings):
    from orchestrator.compression.family import build_family, digit_family
    from tests.benchmarks.adaptation import measure

    cells = []
    for seed in SEEDS:
        held_out = load_split(seed).held_out
        for built in build_family(digit_family(seed), lambda share, doing: None):
            cells += map(asdict, measure(built.data, built.name, held_out, seed))
    print_table(cells)
    print_losses(cells)
    means = {
        rule: fmean(
            cell["adapted"]
            for cell in cells
            if (cell["rule"], cell["learning_rate"], cell["samples"])
            == (rule, settings.LEARNING_RATE, settings.LEARNING_SAMPLES)
        )
        for rule in ("shipped", "plain")
    }
    record(ratio=means["shipped"] / means["plain"], **means, cells=cells)
    assert means["shipped"] > means["plain"]
