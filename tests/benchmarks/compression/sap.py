"""Adaptive pruning of a digit MLP beside one-shot pruning at equal sparsity.

Both keep biases, train by the product's own recipe, go back to the same first weights and may
choose among as many settings by their accuracy on the calibration images; the held-out ones are
only reported on. One-shot may train its sparse network four times as long.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from orchestrator.compression.digits import DigitImages, DigitSplit, load_split
from orchestrator.compression.fitting import FitConfig, fit, float_accuracy, seeded
from orchestrator.compression.methods.sap import (
    Masks,
    SapConfig,
    SapOutcome,
    prunable,
    prune_adaptively,
    train_masked,
    without_smallest,
)

COLLAPSED = 0.8
GAMMAS = (4.6, 4.7, 4.8)
ONE_SHOT = ((1, 1e-2), (4, 1e-2), (4, 2e-2))
"""How often as long, and at which learning rate."""


class DigitMlp(nn.Module):
    """64-128-256-10, 43,520 weights and 394 biases; answers (logits, features)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 256), nn.ReLU()
        )
        self.classifier = nn.Linear(256, 10)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.features(images)
        return self.classifier(features), features


@dataclass(frozen=True, slots=True)
class Compared:
    """One seed. Accuracies on held-out images, fractions."""

    seed: int
    gamma: float
    rounds: list[dict[str, float]]
    weights: int
    density: float
    dense: float
    accuracy: float
    one_shot: float
    turned_in: int | None = None
    collapsed_in: int | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is trained for how long; `beyond`: whether to go on until the network collapses."""

    epochs: int = 60
    learning_rate: float = 1e-2
    gammas: Sequence[float] = GAMMAS
    one_shot: Sequence[tuple[int, float]] = ONE_SHOT
    least_density: float = 0.01
    rounds: int = 6
    beyond: bool = True


def compare(seed: int, experiment: Experiment) -> Compared:
    """Tune both on the calibration images, judge both on the held-out ones."""
    split = load_split(seed)
    seeded(seed)
    first = DigitMlp()
    tried = [_adaptive(first, split, gamma, seed, experiment) for gamma in experiment.gammas]
    gamma, network, outcome = max(
        tried, key=lambda each: (-_density(each[2]), float_accuracy(each[1], split.calibration))
    )
    kept = int(sum(mask.sum() for mask in outcome.masks.values()))
    return Compared(
        seed=seed,
        gamma=gamma,
        rounds=[_shown(each) for each in outcome.rounds],
        weights=kept,
        density=_density(outcome),
        dense=outcome.rounds[0].accuracy,
        accuracy=float_accuracy(network, split.held_out),
        one_shot=_best_one_shot(first, split, kept, seed, experiment),
        **(_beyond(first, split, gamma, seed, experiment) if experiment.beyond else {}),
    )


def _adaptive(
    first: nn.Module, split: DigitSplit, gamma: float, seed: int, experiment: Experiment
) -> tuple[float, nn.Module, SapOutcome]:
    network = copy.deepcopy(first)
    config = SapConfig(
        gamma=gamma, rounds=experiment.rounds, least_density=experiment.least_density
    )
    outcome = prune_adaptively(
        network,
        lambda masked: fit(masked, split.train, _fit(experiment), seed),
        lambda judged: float_accuracy(judged, split.held_out),
        config,
    )
    return gamma, network, outcome


def _best_one_shot(
    first: nn.Module, split: DigitSplit, kept: int, seed: int, experiment: Experiment
) -> float:
    dense = copy.deepcopy(first)
    fit(dense, split.train, _fit(experiment), seed)
    layers = dict(prunable(dense))
    every: Masks = {name: torch.ones_like(layer.weight) for name, layer in layers.items()}
    count = sum(mask.numel() for mask in every.values())
    masks = without_smallest(layers, every, count - kept)
    tried = []
    for longer, rate in experiment.one_shot:
        network = copy.deepcopy(first)
        config = _fit(experiment, longer, rate)
        train_masked(network, masks, first.state_dict(), _trainer(split.train, config, seed))
        tried.append(
            [float_accuracy(network, part) for part in (split.calibration, split.held_out)]
        )
    return max(tried)[1]


def _trainer(train: DigitImages, config: FitConfig, seed: int):
    return lambda network: fit(network, train, config, seed)


def _beyond(
    first: nn.Module, split: DigitSplit, gamma: float, seed: int, experiment: Experiment
) -> dict[str, int | None]:
    """The round that the index names, and the one in which the network is lost, with no floor."""
    further = Experiment(
        experiment.epochs, experiment.learning_rate, rounds=12, least_density=0.0005
    )
    _, _, outcome = _adaptive(first, split, gamma, seed, further)
    lost = COLLAPSED * outcome.rounds[0].accuracy
    collapsed = [each.number for each in outcome.rounds if each.accuracy < lost]
    return {"turned_in": outcome.turned_in, "collapsed_in": collapsed[0] if collapsed else None}


def _fit(experiment: Experiment, longer: int = 1, rate: float | None = None) -> FitConfig:
    return FitConfig(
        epochs=longer * experiment.epochs,
        learning_rate=rate or experiment.learning_rate,
        weight_decay=1e-2,
        batch_size=128,
    )


def _density(outcome: SapOutcome) -> float:
    return outcome.rounds[-1].density


def _shown(each) -> dict[str, float]:
    return {"density": each.density, "index": each.index, "accuracy": each.accuracy}
