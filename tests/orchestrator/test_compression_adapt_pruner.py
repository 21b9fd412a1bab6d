"""Blocks that change little lose more of their width than blocks that change much."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from orchestrator.compression.methods.adapt_pruner import (
    AdaptPrunerConfig,
    Examples,
    Layer,
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
    seen = compare(0)
    assert seen.adaptive_parameters <= seen.uniform_parameters <= 0.41
    assert seen.adaptive - seen.uniform >= 0.10


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


class ConvolutionalBlock(nn.Module):
    """1 x 1, 3 x 3 in as many groups as asked for, 1 x 1, added to the input."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.widening = nn.Conv2d(8, 16, 1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.middle = nn.Conv2d(16, 16, 3, padding=1, groups=groups)
        self.last = nn.Conv2d(16, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.last(self.middle(self.norm(self.widening(x)).relu()).relu())


class GatedBlock(nn.Module):
    """Two layers whose outputs are multiplied: what leaves one leaves the other."""

    def __init__(self) -> None:
        super().__init__()
        self.widening, self.gate = nn.Linear(8, 16), nn.Linear(8, 16)
        self.last = nn.Linear(16, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.last(self.widening(x).relu() * self.gate(x).sigmoid())


@pytest.mark.parametrize("groups", [1, 4, 16])
@pytest.mark.parametrize("name", ["widening", "middle"])
def test_convolutions_of_any_groups_are_narrowed(groups: int, name: str) -> None:
    torch.manual_seed(0)
    blocks = nn.Sequential(*(ConvolutionalBlock(groups) for _ in range(2)))
    pruned = nn.Sequential(blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    layers = [Layer(block, getattr(block, name)) for block in blocks]
    images = Examples(torch.rand(16, 8, 5, 5), torch.randint(10, (16,)))
    outcome = prune_by_importance(pruned, layers, images, AdaptPrunerConfig(0, parameters_left=0.7))
    assert outcome.parameters_left <= 0.7
    assert pruned(images.inputs).shape == (16, 10)


def test_layers_that_hang_together_are_narrowed_together() -> None:
    torch.manual_seed(0)
    blocks = nn.Sequential(*(GatedBlock() for _ in range(2)))
    pruned = nn.Sequential(blocks, nn.Linear(8, 10))
    layers = [Layer(block, each) for block in blocks for each in (block.widening, block.gate)]
    inputs = Examples(torch.rand(16, 8), torch.randint(10, (16,)))
    config = AdaptPrunerConfig(amplitude=0, parameters_left=0.6)
    outcome = prune_by_importance(pruned, layers, inputs, config)
    assert 0.5 <= outcome.parameters_left <= 0.6
    assert all(block.widening.out_features == block.gate.out_features for block in blocks)
    assert pruned(inputs.inputs).shape == (16, 10)
