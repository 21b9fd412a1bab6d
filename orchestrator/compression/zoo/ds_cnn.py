"""Depthwise separable convolutions over a cepstrum, for keywords."""

from __future__ import annotations

import torch
from torch import nn

from orchestrator.compression.datasets.spoken_digits import CLASSES, SPOKEN_DIGITS_CEPSTRUM
from orchestrator.compression.zoo.entry import Recipe, ZooEntry, scaled
from orchestrator.compression.zoo.goals import CLASSIFY
from orchestrator.compression.zoo.variation import spectra_varied

CHANNELS = 64
BLOCKS = 4


class DsCnn(nn.Module):
    """A 10 x 4 convolution by steps of 2, separable blocks of 3 x 3, the mean, a last layer.

    Batch norms stand behind convolutions without bias; the converter folds them in.
    """

    def __init__(self, channels: int = CHANNELS, classes: int = CLASSES) -> None:
        super().__init__()
        # 49 x 10 with these paddings gives 25 x 5, as the paper's "same" does.
        layers = _normed(nn.Conv2d(1, channels, (10, 4), 2, (5, 1), bias=False))
        for _ in range(BLOCKS):
            layers += _normed(nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False))
            layers += _normed(nn.Conv2d(channels, channels, 1, bias=False))
        self.extractor = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, 49, 10, 1) -> logits (n, classes), features (n, channels)."""
        features = self.extractor(images.permute(0, 3, 1, 2)).mean((2, 3))
        return self.classifier(features), features


def _normed(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()]


def build(width: float) -> DsCnn:
    """The paper's small network (64 channels, four blocks) at width 1."""
    return DsCnn(scaled(CHANNELS, width, multiple=4, least=4))


ENTRY = ZooEntry(
    name="ds-cnn",
    task="spoken digits as keywords, one second of sound",
    source="Y. Zhang et al., Hello Edge: Keyword Spotting on Microcontrollers, 2017 (DS-CNN-S)",
    build=build,
    data=SPOKEN_DIGITS_CEPSTRUM,
    goal=CLASSIFY,
    recipe=Recipe(epochs=8, learning_rate=1e-2),
    vary=spectra_varied,
    learns=True,
    prunes=True,
)
