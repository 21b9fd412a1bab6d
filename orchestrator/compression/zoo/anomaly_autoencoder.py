"""An autoencoder of room sensors that knows empty rooms: what it cannot rebuild is an anomaly."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from orchestrator.compression.datasets.room_sensors import EMPTY_ROOMS, READINGS, SENSORS
from orchestrator.compression.zoo.entry import Recipe, ZooEntry, scaled
from orchestrator.compression.zoo.goals import FIND_ANOMALIES

HIDDEN, CODE = 32, 4


class AnomalyAutoencoder(nn.Module):
    """Dense: down to a code and back, ReLU between layers."""

    def __init__(self, hidden: int = HIDDEN, code: int = CODE) -> None:
        super().__init__()
        values = READINGS * len(SENSORS)
        layers: list[nn.Module] = []
        for before, after in pairwise((values, hidden, code, hidden)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, values))

    def forward(self, windows: torch.Tensor) -> tuple[torch.Tensor]:
        """(n, 16, 4) -> its reconstruction, flat (n, 64)."""
        return (self.layers(windows.flatten(1)),)


def build(width: float) -> AnomalyAutoencoder:
    """64-32-4-32-64 at width 1."""
    return AnomalyAutoencoder(scaled(HIDDEN, width), scaled(CODE, width))


ENTRY = ZooEntry(
    name="anomaly-autoencoder",
    task="somebody in a room that should be empty, by room sensors",
    source="own, after the dense autoencoder of MLPerf Tiny (C. Banbury et al., 2021)",
    build=build,
    data=EMPTY_ROOMS,
    goal=FIND_ANOMALIES,
    recipe=Recipe(epochs=20, learning_rate=3e-3),
    prunes=True,
)
