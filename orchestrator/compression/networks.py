"""A family of small convolutional digit classifiers that convert without needless operators.

The input is channel-last, (n, 8, 8, 1) as a sensor gives it; with one channel the permutation costs
nothing in the converted graph. The last convolution covers its whole input, so no transposition is
needed before the features. Each network answers (logits, features): a device that learns puts a
last layer of its own on the frozen features.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import nn

from orchestrator.compression.digits import CLASSES

_IMAGE_SIDE = 8


class Activation(StrEnum):
    """Hard-swish becomes an operator of its own, which small firmware often does not link."""

    RELU = "relu"
    HARD_SWISH = "hard_swish"


_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    Activation.RELU: nn.ReLU,
    Activation.HARD_SWISH: nn.Hardswish,
}


@dataclass(frozen=True, slots=True)
class DigitNetworkConfig:
    """Widths and depths. Channels, unless said otherwise.

    `padded` keeps the stem's output at 8x8 instead of 6x6. `expansion` widens the inverted
    residual blocks (MobileNetV2, Sandler et al. 2018), of which there are `residual_blocks`, at the
    stem's resolution. `body_blocks` 3x3 convolutions of `body` channels follow at half of it.
    """

    stem: int
    body: int
    features: int
    body_blocks: int = 0
    residual_blocks: int = 0
    expansion: int = 0
    padded: bool = False
    activation: Activation = Activation.RELU


class InvertedResidual(nn.Module):
    """Pointwise to `expanded` channels, depthwise 3x3, pointwise back, added to the input."""

    def __init__(self, channels: int, expanded: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, expanded, 1),
            activation(),
            nn.Conv2d(expanded, expanded, 3, padding=1, groups=expanded),
            activation(),
            nn.Conv2d(expanded, channels, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shape in is shape out: (n, channels, h, w)."""
        return x + self.layers(x)


class DigitNetwork(nn.Module):
    """Stem, residual blocks, halving, body, whole-window convolution to features, last layer."""

    def __init__(self, config: DigitNetworkConfig) -> None:
        super().__init__()
        activation = _ACTIVATIONS[config.activation]
        side = (_IMAGE_SIDE if config.padded else _IMAGE_SIDE - 2) // 2
        layers: list[nn.Module] = [
            nn.Conv2d(1, config.stem, 3, padding=1 if config.padded else 0),
            activation(),
        ]
        for _ in range(config.residual_blocks):
            layers.append(InvertedResidual(config.stem, config.expansion, activation))
        layers += [nn.Conv2d(config.stem, config.body, 2, stride=2), activation()]
        for _ in range(config.body_blocks):
            layers += [nn.Conv2d(config.body, config.body, 3, padding=1), activation()]
        layers += [nn.Conv2d(config.body, config.features, side), activation()]
        self.extractor = nn.Sequential(*layers)
        self.classifier = nn.Linear(config.features, CLASSES)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, 8, 8, 1) in [0, 1] -> logits (n, 10), features (n, F)."""
        features = torch.flatten(self.extractor(images.permute(0, 3, 1, 2)), 1)
        return self.classifier(features), features
