"""Adaptive pruning leaves few weights and most of the accuracy; the index says when to stop."""

from __future__ import annotations

import pytest
import torch
from structlog.testing import capture_logs
from torch import nn

from orchestrator.compression.methods.sap import (
    SapConfig,
    Scope,
    density,
    narrowed,
    prunable,
    prune_adaptively,
    train_masked,
    without_smallest,
)
from tests.benchmarks.compression.sap import Experiment, compare


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def masks(of: nn.Module) -> dict[str, torch.Tensor]:
    return {name: torch.ones_like(layer.weight) for name, layer in prunable(of)}


def test_few_weights_keep_what_one_shot_loses() -> None:
    few = Experiment(
        epochs=30, gamma=4.6, steps=(), one_shot=(2e-2,), least_density=0.02, last=1, beyond=False
    )
    seen = compare(0, few)
    assert seen.density <= 0.02
    assert len(seen.rounds) <= 7
    assert seen.accuracy >= 0.92
    assert seen.accuracy - seen.one_shot >= 0.25


@pytest.mark.parametrize("scope", list(Scope))
def test_masked_weights_stay_zero_and_kept_ones_are_the_largest(scope: Scope) -> None:
    pruned = network()
    before = {name: layer.weight.detach().abs().clone() for name, layer in prunable(pruned)}
    smaller = narrowed(pruned, masks(pruned), SapConfig(scope=scope, gamma=3))
    assert 0 < density(smaller) < 1
    groups = [list(smaller)] if scope is Scope.GLOBAL else [[name] for name in smaller]
    for names in groups:
        kept = torch.cat([before[name][smaller[name] > 0] for name in names])
        gone = torch.cat([before[name][smaller[name] == 0] for name in names])
        assert kept.min() >= gone.max()


def test_every_round_begins_at_the_first_weights() -> None:
    pruned, begun = network(), []

    def train(masked: nn.Module) -> None:
        begun.append({name: layer.weight.detach().clone() for name, layer in prunable(masked)})
        for weights in masked.parameters():
            weights.data += 0.1 * torch.randn_like(weights)

    first = {name: layer.weight.detach().clone() for name, layer in prunable(pruned)}
    outcome = prune_adaptively(pruned, train, lambda judged: 1.0, SapConfig(rounds=3))
    assert len(begun) == len(outcome.rounds)
    for weights in begun:
        for name, values in weights.items():
            assert torch.equal(values, first[name] * (values != 0))
    for name, layer in prunable(pruned):
        assert torch.equal(layer.weight != 0, outcome.masks[name] > 0)


def test_it_stops_at_the_density_asked_for_and_says_each_round() -> None:
    with capture_logs() as said:
        outcome = prune_adaptively(
            network(),
            lambda masked: None,
            lambda judged: 1.0,
            SapConfig(gamma=9, least_density=0.3),
        )
    left = int(sum(mask.sum() for mask in outcome.masks.values()))
    assert left == int(0.3 * (8 * 16 + 16 * 4))
    rounds = [line for line in said if line["event"] == "pruned"]
    assert [line["round"] for line in rounds] == [each.number for each in outcome.rounds[1:]]


def test_the_turn_of_the_index_is_logged_as_the_signal_to_stop() -> None:
    """Weights whose spread grows in the third training: the index rises there."""
    pruned, trained = network(), []

    def train(masked: nn.Module) -> None:
        trained.append(masked)
        for _, layer in prunable(masked):
            spread = 8.0 if len(trained) == 3 else 1.0
            layer.weight_orig.data = (
                layer.weight_orig.data.sign()
                * torch.linspace(0.1, 1, layer.weight_orig.numel()).reshape(layer.weight_orig.shape)
                ** spread
            )

    with capture_logs() as said:
        outcome = prune_adaptively(pruned, train, lambda judged: 1.0, SapConfig(gamma=2, rounds=3))
    assert outcome.turned_in == 2
    (warning,) = [line for line in said if line["event"] == "pruning_should_stop"]
    assert (warning["round"], warning["log_level"]) == (2, "warning")


def test_pruning_nothing_and_everything() -> None:
    layers = dict(prunable(network()))
    every = masks(network())
    assert density(without_smallest(layers, every, 0)) == 1
    assert density(without_smallest(layers, every, 8 * 16 + 16 * 4)) == 0


def test_masks_leave_no_trace_in_the_network() -> None:
    trained = network()
    names = set(trained.state_dict())
    first = {name: value.clone() for name, value in trained.state_dict().items()}
    train_masked(trained, masks(trained), first, lambda masked: None)
    assert set(trained.state_dict()) == names


def test_a_training_that_fails_leaves_no_trace_of_the_masks() -> None:
    def train(masked: nn.Module) -> None:
        raise RuntimeError("power")

    trained = network()
    with pytest.raises(RuntimeError, match="power"):
        prune_adaptively(trained, train, lambda judged: 1.0, SapConfig())
    assert set(trained.state_dict()) == set(network().state_dict())


def test_a_network_without_weights_that_may_leave_is_refused() -> None:
    with pytest.raises(ValueError, match="no dense or convolutional layer"):
        prune_adaptively(nn.ReLU(), lambda masked: None, lambda judged: 1.0, SapConfig())
