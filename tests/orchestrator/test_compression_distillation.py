"""Sparse logits take the bytes that they should, replay to the bit, and teach as well as dense."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from orchestrator.compression.methods.distillation import (
    DistillationConfig,
    LogitsRefused,
    SparseLogits,
    distil,
    record,
    views,
)
from tests.benchmarks.compression.distillation import compare, fewer, vary

SHORT = DistillationConfig(kept=3, epochs=2, batch_size=8)


def inputs(count: int = 20) -> torch.Tensor:
    return torch.rand(count, 8, 8, 1, generator=torch.Generator().manual_seed(5))


def network(seed: int, classes: int = 10) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, classes))


def stored(kept: int = 3) -> SparseLogits:
    config = DistillationConfig(kept=kept, epochs=2, batch_size=8)
    return record(network(1), inputs(), vary, config, seed=4)


def noisy(given: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    return given + 0.1 * torch.randn(given.shape, generator=chance)


def test_three_logits_teach_nearly_as_well_as_all() -> None:
    config = DistillationConfig(epochs=12, batch_size=32)
    seen = compare(10, config, teacher_epochs=4, images=600, vary=noisy)
    assert seen.sparse_bytes == 4 + 4 * 3
    assert abs(seen.sparse - seen.dense) <= 0.1
    assert seen.sparse >= 0.6


@pytest.mark.parametrize("kept", [1, 3, 10])
def test_four_bytes_and_four_for_each_logit(kept: int) -> None:
    assert len(stored(kept).to_bytes()) == 2 * 20 * (4 + 4 * kept)


def test_bytes_come_back_as_they_went() -> None:
    data = stored().to_bytes()
    again = SparseLogits.from_bytes(data, samples=20, classes=10, kept=3)
    assert again.to_bytes() == data
    for epoch in range(2):
        assert torch.equal(again.targets(epoch), stored().targets(epoch))


def test_fewer_of_all_are_what_fewer_would_have_been() -> None:
    assert fewer(stored(10), 3).to_bytes() == stored(3).to_bytes()


def test_replay_is_the_same_to_the_bit() -> None:
    students = []
    for _ in range(2):
        logits = SparseLogits.from_bytes(stored().to_bytes(), samples=20, classes=10, kept=3)
        student = network(2)
        distil(student, inputs(), logits, vary, SHORT, seed=6)
        students.append(student.state_dict())
    assert all(torch.equal(students[0][name], value) for name, value in students[1].items())


def test_a_view_depends_on_its_seed_alone() -> None:
    seeds = stored().seeds(1)
    whole = views(inputs(), seeds, vary)
    order = np.random.default_rng(0).permutation(20)[:7]
    assert torch.equal(views(inputs()[order], seeds[order], vary), whole[order])
    assert not torch.equal(views(inputs(), stored().seeds(0), vary), whole)


def test_what_is_stored_is_what_the_teacher_says_of_the_view() -> None:
    logits = stored()
    with torch.no_grad():
        said = torch.softmax(network(1)(views(inputs(), logits.seeds(0), vary)), 1)
    values, places = said.topk(3)
    assert np.array_equal(logits.records[0]["kept"]["class"], places.numpy())
    assert np.array_equal(logits.records[0]["kept"]["probability"], values.half().numpy())


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10), st.integers(0, 1000))
def test_targets_are_probabilities_with_the_rest_spread_evenly(kept, seed) -> None:
    config = DistillationConfig(kept=kept, epochs=1)
    logits = record(network(seed), inputs(3), lambda given, chance: given, config, seed)
    targets = logits.targets(0)
    assert torch.allclose(targets.sum(1), torch.ones(3), atol=5e-3)
    assert (targets >= 0).all()
    for row, named in zip(targets, logits.records[0]["kept"]["class"], strict=True):
        others = np.delete(row.numpy(), named.astype(int))
        assert len(others) == 0 or np.ptp(others) == 0


def test_more_than_there_are_cannot_be_kept() -> None:
    with pytest.raises(LogitsRefused, match="11 of 10 classes cannot be kept"):
        stored(11)


@pytest.mark.parametrize("length", [0, 1, 319, 321, 639])
def test_bytes_that_are_not_whole_epochs_are_refused(length: int) -> None:
    with pytest.raises(LogitsRefused, match="are not whole epochs of 20 samples"):
        SparseLogits.from_bytes(stored().to_bytes()[:length], 20, 10, 3)


def test_classes_and_probabilities_that_cannot_be_are_refused() -> None:
    strange = stored().records.copy()
    strange["kept"]["class"][0, 0, 0] = 10
    with pytest.raises(LogitsRefused, match="not one of 10"):
        SparseLogits.from_bytes(strange.tobytes(), 20, 10, 3)
    strange = stored().records.copy()
    strange["kept"]["probability"][1, 2, 1] = np.nan
    with pytest.raises(LogitsRefused, match="not between 0 and 1"):
        SparseLogits.from_bytes(strange.tobytes(), 20, 10, 3)


def test_a_teacher_that_says_what_is_not_finite_is_refused() -> None:
    broken = network(1)
    with torch.no_grad():
        broken[1].weight[0, 0] = torch.nan
    with pytest.raises(LogitsRefused, match="not all finite"):
        record(broken, inputs(), vary, SHORT, seed=4)
