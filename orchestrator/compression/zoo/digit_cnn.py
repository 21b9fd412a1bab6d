"""The digit family's large network, at any width."""

from __future__ import annotations

import torch

from orchestrator.compression.datasets.digits import DIGITS
from orchestrator.compression.fitting import FitConfig, varied
from orchestrator.compression.networks import DigitNetwork, DigitNetworkConfig
from orchestrator.compression.zoo.entry import Recipe, ZooEntry, scaled
from orchestrator.compression.zoo.goals import CLASSIFY

_VARIATION = FitConfig()


def build(width: float) -> DigitNetwork:
    """Stem of 16, body of 32, 64 features at width 1."""
    stem, body, features = (scaled(channels, width) for channels in (16, 32, 64))
    return DigitNetwork(DigitNetworkConfig(stem, body, features, body_blocks=1, padded=True))


def vary(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Slightly moved and noisy, as the digit family is trained."""
    return varied(images, _VARIATION, generator)


ENTRY = ZooEntry(
    name="digit-cnn",
    task="handwritten digits, 8x8 grey images",
    source="own",
    build=build,
    data=DIGITS,
    goal=CLASSIFY,
    recipe=Recipe(epochs=30),
    vary=vary,
    learns=True,
    prunes=True,
)
