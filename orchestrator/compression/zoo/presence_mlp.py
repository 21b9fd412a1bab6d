"""A small dense network over a quarter of an hour of room sensors, for presence."""

from __future__ import annotations

import torch
from torch import nn

from orchestrator.compression.datasets.room_sensors import READINGS, ROOM_PRESENCE, SENSORS
from orchestrator.compression.zoo.entry import Recipe, ZooEntry, scaled
from orchestrator.compression.zoo.goals import CLASSIFY
from orchestrator.compression.zoo.variation import readings_varied

HIDDEN = (16, 8)


class PresenceMlp(nn.Module):
    """Two hidden layers with ReLU; the second gives the features."""

    def __init__(self, hidden: tuple[int, int] = HIDDEN) -> None:
        super().__init__()
        first, second = hidden
        self.extractor = nn.Sequential(
            nn.Linear(READINGS * len(SENSORS), first),
            nn.ReLU(),
            nn.Linear(first, second),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(second, 2)

    def forward(self, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, 16, 4) -> logits (n, 2), features (n, second)."""
        features = self.extractor(windows.flatten(1))
        return self.classifier(features), features


def build(width: float) -> PresenceMlp:
    """64-16-8-2 at width 1."""
    first, second = HIDDEN
    return PresenceMlp((scaled(first, width), scaled(second, width)))


ENTRY = ZooEntry(
    name="presence-mlp",
    task="presence in a room by temperature, humidity, light and carbon dioxide",
    source="own",
    build=build,
    data=ROOM_PRESENCE,
    goal=CLASSIFY,
    recipe=Recipe(epochs=10, learning_rate=3e-3),
    vary=readings_varied,
    learns=True,
    prunes=True,
)
