"""Convolutions over the rows of an IMU, for gestures."""

from __future__ import annotations

import torch
from torch import nn

from orchestrator.compression.datasets.gestures import AXES, GESTURES
from orchestrator.compression.zoo.entry import Recipe, ZooEntry, scaled
from orchestrator.compression.zoo.goals import CLASSIFY
from orchestrator.compression.zoo.variation import movements_varied

CHANNELS = (8, 16, 16)
_ROWS_SEEN = 5


class GestureCnn(nn.Module):
    """Convolutions of five rows, each by steps of two, the mean over time, a last layer."""

    def __init__(self, channels: tuple[int, ...] = CHANNELS, classes: int = 5) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((AXES, *channels), channels, strict=False):
            layers += [
                nn.Conv2d(before, after, (_ROWS_SEEN, 1), (2, 1), bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.extractor = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels[-1], classes)

    def forward(self, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, 119, 6) -> logits (n, classes), features (n, last channels)."""
        features = self.extractor(windows[:, :, None].permute(0, 3, 1, 2)).mean((2, 3))
        return self.classifier(features), features


def build(width: float) -> GestureCnn:
    """8, 16 and 16 channels at width 1."""
    return GestureCnn(tuple(scaled(channels, width) for channels in CHANNELS))


ENTRY = ZooEntry(
    name="gesture-cnn",
    task="five gestures with a wand, a second of a six-axis IMU",
    source="own, after the magic wand of TensorFlow Lite Micro (P. Warden, D. Situnayake, 2019)",
    build=build,
    data=GESTURES,
    goal=CLASSIFY,
    recipe=Recipe(epochs=150, learning_rate=1e-2, batch_size=16),
    vary=movements_varied,
    learns=True,
    prunes=True,
)
