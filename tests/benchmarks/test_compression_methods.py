"""Each compression method beside its plain peer, on three seeds or ten; every seed is kept.

Settings were chosen on seeds 0 to 9. Those of SAP were changed after seeds 30 to 32 had been seen,
those of Adapt-Pruner after 40 to 49 had, so these two are told on seeds behind those.
"""

from __future__ import annotations

from dataclasses import asdict
from statistics import fmean

import pytest

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

SEEDS = (30, 31, 32)
LATER_SEEDS = (40, 41, 42)
TEN_SEEDS = range(50, 60)


def mean(rows: list, field: str) -> float:
    return fmean(getattr(row, field) for row in rows)


def test_adaptive_pruning_by_the_sparsity_index(keep_method) -> None:
    from tests.benchmarks.compression.sap import Experiment, compare

    rows = [compare(seed, Experiment()) for seed in LATER_SEEDS]
    keep_method("sap", seeds=[asdict(row) for row in rows])
    assert all(row.density <= 0.01 and len(row.rounds) <= 7 for row in rows)
    assert all(row.accuracy >= 0.95 for row in rows)
    assert all(row.accuracy - row.one_shot >= 0.25 for row in rows)
    assert all(
        row.turned_in is not None and (row.collapsed_in is None or row.turned_in < row.collapsed_in)
        for row in rows
    )


def test_structured_pruning_by_importance(keep_method) -> None:
    from tests.benchmarks.compression.adapt_pruner import compare

    rows = [compare(seed) for seed in TEN_SEEDS]
    keep_method("adapt_pruner", seeds=[asdict(row) for row in rows])
    assert all(row.uniform_parameters >= row.adaptive_parameters - 1e-9 for row in rows)
    assert mean(rows, "adaptive_parameters") <= 0.4
    assert mean(rows, "adaptive") - mean(rows, "uniform") >= 0.10


def test_distillation_from_sparse_logits(keep_method) -> None:
    from orchestrator.compression.methods.distillation import DistillationConfig
    from tests.benchmarks.compression.distillation import compare

    config = DistillationConfig(epochs=15, batch_size=32)
    rows = [compare(seed, config) for seed in SEEDS]
    keep_method("distillation", kept=config.kept, seeds=[asdict(row) for row in rows])
    assert all(row.sparse_bytes == 4 + 4 * config.kept for row in rows)
    assert all(abs(row.sparse - row.dense) <= 0.04 for row in rows)


def test_int8_by_calibration_and_by_training(keep_method) -> None:
    from tests.benchmarks.compression.int8 import UNBALANCED_BY, compare

    rows = [compare(seed) for seed in SEEDS]
    keep_method("int8", unbalanced_by=UNBALANCED_BY, seeds=[asdict(row) for row in rows])
    for row in rows:
        lost = row.network - row.balanced
        assert (row.balanced_trained is None) == (lost <= 0.01)
        assert row.unbalanced_trained is not None
        assert row.unbalanced_trained > row.unbalanced


def test_a_supernet_by_adjacent_banks(keep_method) -> None:
    from orchestrator.compression.methods.supernet import SupernetConfig
    from tests.benchmarks.compression.supernet import WITHIN_MS, compare, device_classes

    classes = device_classes()
    rows = [compare(seed, SupernetConfig(), classes if seed == SEEDS[0] else []) for seed in SEEDS]
    keep_method("supernet", within_ms=WITHIN_MS, seeds=[asdict(row) for row in rows])
    assert fmean(row.adjacent[0] - row.uniform[0] for row in rows) >= 0.005
    assert fmean(fmean(row.adjacent) - fmean(row.uniform) for row in rows) >= 0
    assert mean(rows, "adjacent_all") >= mean(rows, "uniform_all")
    assert len(rows[0].served) == len(classes)
    for found in rows[0].served:
        kept = all(reason["holds"] for reason in found.reasons)
        assert kept == (found.subnet is not None)
        assert kept or "ram" in {r["constraint"] for r in found.reasons if not r["holds"]}
