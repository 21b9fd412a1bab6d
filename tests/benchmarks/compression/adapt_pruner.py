"""Layers pruned by their importance beside all alike, without retraining, at equal parameters.

The network is trained with stochastic depth (G. Huang et al., "Deep Networks with Stochastic
Depth", ECCV 2016), as deep residual networks commonly are: the later a block, the more often it is
passed over. It learns to do without most of its blocks, so that some matter and some do not.
Both go the same steps and judge channels alike, on the same training images; neither has anything
that is tuned. Pruning alike takes a channel of every block at once, so it stops at the last share
that is not below the other's: it never has fewer parameters.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn

from orchestrator.compression.digits import CLASSES, DigitSplit, load_split
from orchestrator.compression.fitting import FitConfig, fit, float_accuracy, seeded
from orchestrator.compression.methods.adapt_pruner import (
    AdaptPrunerConfig,
    Examples,
    Layer,
    PrunedLayers,
    prune_by_importance,
)

BLOCKS = 8
JUDGED_BY = 256
PASSED_OVER = 0.8
"""How often the last block is; those before it in proportion to their place."""


class ResidualBlock(nn.Module):
    """Normalized, widened, narrowed and added to the input, as in a transformer."""

    def __init__(self, width: int, widened: int) -> None:
        super().__init__()
        self.widening = nn.Linear(width, widened)
        self.layers = nn.Sequential(
            nn.LayerNorm(width), self.widening, nn.ReLU(), nn.Linear(widened, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x)


class ResidualNetwork(nn.Module):
    """A linear stem, eight residual blocks, a last layer."""

    def __init__(self, width: int = 16, widened: int = 32) -> None:
        super().__init__()
        self.width = width
        self.stem = nn.Sequential(nn.Flatten(), nn.Linear(64, width))
        self.blocks = nn.Sequential(*(ResidualBlock(width, widened) for _ in range(BLOCKS)))
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.stem(images)
        for place, block in enumerate(self.blocks, 1):
            if not self.training or torch.rand(()) >= PASSED_OVER * place / BLOCKS:
                features = block(features)
        return self.classifier(features), features

    @property
    def step(self) -> float:
        """A channel of every block, as a share of the parameters."""
        channels = sum(block.widening.in_features + 1 + self.width for block in self.blocks)
        return channels / sum(weights.numel() for weights in self.parameters())

    def prunable(self) -> list[Layer]:
        return [Layer(block, block.widening) for block in self.blocks]


@dataclass(frozen=True, slots=True)
class Compared:
    """One seed. Accuracies on held-out images and shares of parameters, fractions."""

    seed: int
    dense: float
    adaptive: float
    adaptive_parameters: float
    uniform: float
    uniform_parameters: float
    ratios: tuple[float, ...]


def compare(seed: int, epochs: int = 40, left: float = 0.36) -> Compared:
    """Train once, prune two copies, that by importance first."""
    split = load_split(seed)
    seeded(seed)
    network = ResidualNetwork()
    fit(network, split.train, FitConfig(epochs=epochs, weight_decay=1e-2, batch_size=128), seed)
    config = AdaptPrunerConfig(parameters_left=left)
    adaptive, by_importance = _pruned(network, split, config)
    as_many = by_importance.parameters_left + 0.999 * network.step
    uniform, alike = _pruned(
        network, split, AdaptPrunerConfig(amplitude=0, parameters_left=as_many)
    )
    return Compared(
        seed=seed,
        dense=float_accuracy(network, split.held_out),
        adaptive=adaptive,
        adaptive_parameters=by_importance.parameters_left,
        uniform=uniform,
        uniform_parameters=alike.parameters_left,
        ratios=by_importance.ratios,
    )


def _pruned(
    network: ResidualNetwork, split: DigitSplit, config: AdaptPrunerConfig
) -> tuple[float, PrunedLayers]:
    narrower = copy.deepcopy(network)
    examples = Examples(
        torch.from_numpy(split.train.images[:JUDGED_BY]),
        torch.from_numpy(split.train.labels[:JUDGED_BY]),
    )
    outcome = prune_by_importance(narrower, narrower.prunable(), examples, config)
    return float_accuracy(narrower, split.held_out), outcome
