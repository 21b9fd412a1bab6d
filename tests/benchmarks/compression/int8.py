"""The digit family's smallest network as int8, as trained and with its channels out of balance.

Out of balance: channels of one convolution are made larger and the next layer's weights for them
smaller by the same factor, as unequal training may leave them. The network says the same; one scale
for all channels no longer serves them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from orchestrator.compression.conversion import convert_int8
from orchestrator.compression.digits import DigitSplit, load_split
from orchestrator.compression.evaluation import evaluate
from orchestrator.compression.fitting import FitConfig, fit, float_accuracy, seeded
from orchestrator.compression.methods.int8 import Int8File, to_int8
from orchestrator.compression.networks import DigitNetwork, DigitNetworkConfig

NETWORK = DigitNetworkConfig(stem=3, body=6, features=16)
UNBALANCED_BY = 100.0


@dataclass(frozen=True, slots=True)
class Compared:
    """One seed. Accuracies on held-out images, fractions; None where training was not needed."""

    seed: int
    network: float
    balanced: float
    balanced_trained: float | None
    unbalanced: float
    unbalanced_trained: float | None


def compare(seed: int, epochs: int = 60, again: int = 30) -> Compared:
    """Train, quantize, put out of balance, quantize."""
    split = load_split(seed)
    seeded(seed)
    network = DigitNetwork(NETWORK)
    fit(network, split.train, FitConfig(epochs=epochs), seed)
    balanced = quantized(network, split, again, seed)
    put_out_of_balance(network, UNBALANCED_BY)
    unbalanced = quantized(network, split, again, seed)
    return Compared(
        seed=seed,
        network=balanced.of_network,
        balanced=balanced.calibrated,
        balanced_trained=balanced.trained,
        unbalanced=unbalanced.calibrated,
        unbalanced_trained=unbalanced.trained,
    )


def quantized(network: nn.Module, split: DigitSplit, epochs: int, seed: int) -> Int8File:
    config = FitConfig(epochs=epochs, learning_rate=4e-3)
    return to_int8(
        network,
        convert=lambda judged: convert_int8(judged, split.calibration.images),
        train=lambda aware: fit(aware, split.train, config, seed),
        of_network=lambda judged: float_accuracy(judged, split.held_out),
        of_file=lambda data: evaluate(data, split.held_out).accuracy,
    )


def put_out_of_balance(network: DigitNetwork, factor: float) -> None:
    """One channel in three of each convolution but the last; what the network says stays."""
    layers = [layer for layer in network.extractor if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for layer, following in zip(layers, layers[1:], strict=False):
            layer.weight[::3] *= factor
            layer.bias[::3] *= factor
            following.weight[:, ::3] /= factor
