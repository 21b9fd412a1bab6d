"""Blocks that change little lose more of their width than blocks that change much."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.compression.methods.adapt_pruner import (
    AdaptPrunerConfig,
    Examples,
    importances,
    next_ratio,
    prune_by_importance,
    similarities,
)
from tests.benchmarks.compression.adapt_pruner import ResidualNetwork, compare

cosines = st.lists(st.floats(-1, 1), min_size=1, max_size=20)


def examples() -> Examples:
    generator = torch.Generator().manual_seed(3)
    return Examples(
        torch.rand(64, 8, 8, 1, generator=generator),
        torch.randint(10, (64,), generator=generator),
    )


def network() -> ResidualNetwork:
    torch.manual_seed(0)
    return ResidualNetwork().eval()


def test_without_retraining_more_is_kept_than_by_pruning_all_alike() -> None:
    seen = compare(10)
    assert seen.adaptive_parameters == pytest.approx(seen.uniform_parameters, abs=0.02)
    assert seen.uniform_parameters < 0.4
    assert seen.adaptive > seen.uniform


@settings(max_examples=50, deadline=None)
@given(cosines)
def test_importances_are_centred_and_within_one(values) -> None:
    judged = importances(values)
    assert sum(judged) == pytest.approx(0, abs=1e-6)
    assert max(map(abs, judged)) <= 1 + 1e-9
    if max(values) - min(values) > 1e-6:
        assert max(map(abs, judged)) == pytest.approx(1)
        assert judged[values.index(min(values))] == max(judged)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 0.99), st.floats(-1, 1), st.floats(0, 1), st.integers(1, 100))
def test_a_ratio_goes_by_the_formula_and_stays_in_bounds(ratio, importance, amplitude, steps):
    config = AdaptPrunerConfig(amplitude=amplitude, steps=steps)
    after = next_ratio(ratio, importance, config)
    assert 0 <= after <= 0.99
    moved = ratio + 1 / steps - amplitude * importance
    assert after == pytest.approx(min(max(moved, 0), 0.99))


def test_a_block_that_adds_nothing_is_pruned_first() -> None:
    pruned = network()
    with torch.no_grad():
        pruned.blocks[3].layers[3].weight.zero_()
        pruned.blocks[3].layers[3].bias.zero_()
    cosine = similarities(pruned, pruned.prunable(), examples().inputs)
    assert cosine[3] == pytest.approx(1)
    outcome = prune_by_importance(
        pruned, pruned.prunable(), examples(), AdaptPrunerConfig(parameters_left=0.7)
    )
    assert outcome.ratios[3] == max(outcome.ratios)


def test_pruning_is_structural_and_stops_at_the_share_asked_for() -> None:
    pruned = network()
    whole = sum(weights.numel() for weights in pruned.parameters())
    outcome = prune_by_importance(
        pruned, pruned.prunable(), examples(), AdaptPrunerConfig(parameters_left=0.6)
    )
    left = sum(weights.numel() for weights in pruned.parameters())
    assert left / whole == outcome.parameters_left <= 0.6
    for layer in pruned.prunable():
        assert layer.block.layers[3].in_features == layer.width
    assert pruned(examples().inputs)[0].shape == (64, 10)
    assert all(weights.grad is None for weights in pruned.parameters())


def test_channels_without_effect_leave_first() -> None:
    whole = network()
    with torch.no_grad():
        for layer in whole.prunable():
            layer.block.layers[3].weight[:, :12] = 0  # half of the widened outputs go nowhere
            layer.widening.weight[:12] = 0
            layer.widening.bias[:12] = 0
    pruned = copy.deepcopy(whole)
    config = AdaptPrunerConfig(amplitude=0, steps=50, parameters_left=0.75)
    prune_by_importance(pruned, pruned.prunable(), examples(), config)
    inputs = examples().inputs
    assert torch.allclose(pruned(inputs)[0], whole(inputs)[0], atol=1e-5)
