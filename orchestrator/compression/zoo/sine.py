"""The smallest network that shows the whole way: a sine of an angle, 1-32-32-1."""

from __future__ import annotations

import torch
from torch import nn

from orchestrator.compression.datasets.functions import SINE
from orchestrator.compression.zoo.entry import Recipe, ZooEntry, scaled
from orchestrator.compression.zoo.goals import REGRESS

HIDDEN = 32


class SineNetwork(nn.Module):
    """Two hidden layers with ReLU."""

    def __init__(self, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(1, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, periods: torch.Tensor) -> tuple[torch.Tensor]:
        """(n, 1) in periods, 0 to 1 -> sine (n, 1)."""
        return (self.layers(periods),)


def build(width: float) -> SineNetwork:
    """1,153 parameters at width 1."""
    return SineNetwork(scaled(HIDDEN, width))


ENTRY = ZooEntry(
    name="sine",
    task="the sine of an angle",
    source="the hello-world of TensorFlow Lite Micro (P. Warden, D. Situnayake, TinyML, 2019), "
    "twice as wide",
    build=build,
    data=SINE,
    goal=REGRESS,
    recipe=Recipe(epochs=100, learning_rate=1e-2, weight_decay=0.0),
    prunes=True,
)
