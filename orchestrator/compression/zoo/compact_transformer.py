"""CCT-2/3x2: convolutions make the tokens, two transformer layers and a learnt mean do the rest."""

from __future__ import annotations

import torch
from torch import nn

from orchestrator.compression.datasets.digits import CLASSES, COLOUR_DIGITS, COLOUR_SHAPE
from orchestrator.compression.zoo.attention import SequencePool, TransformerLayer
from orchestrator.compression.zoo.entry import Recipe, ZooEntry, scaled
from orchestrator.compression.zoo.goals import CLASSIFY
from orchestrator.compression.zoo.normalisation import LayerNorm
from orchestrator.compression.zoo.variation import images_varied

WIDTH, HEADS, LAYERS = 128, 2, 2


class CompactTransformer(nn.Module):
    """Two 3 x 3 convolutions without bias, each with ReLU and 3/2 max pooling, make the tokens.

    Their channels are half the width and the width; the feed-forward part is as wide as the tokens.
    """

    def __init__(
        self,
        width: int = WIDTH,
        shape: tuple[int, int, int] = COLOUR_SHAPE,
        classes: int = CLASSES,
        layers: int = LAYERS,
    ) -> None:
        super().__init__()
        height, across, channels = shape
        self.tokens = nn.Sequential(*_halving(channels, width // 2), *_halving(width // 2, width))
        count = -(-height // 4) * -(-across // 4)
        self.places = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, count, width), std=0.2))
        self.layers = nn.Sequential(
            *(TransformerLayer(width, HEADS, width, dropout=0.1) for _ in range(layers))
        )
        self.norm = LayerNorm(width)
        self.pool = SequencePool(width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, height, width, channels) -> logits (n, classes), features (n, width)."""
        tokens = self.tokens(images.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        features = self.pool(self.norm(self.layers(tokens + self.places)))
        return self.classifier(features), features


def _halving(before: int, after: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, padding=1),
    ]


def build(width: float) -> CompactTransformer:
    """283,723 parameters at width 1."""
    return CompactTransformer(scaled(WIDTH, width, multiple=2 * HEADS, least=2 * HEADS))


ENTRY = ZooEntry(
    name="cct-2-3x2",
    task="handwritten digits, 32x32 colour images",
    source="A. Hassani et al., Escaping the Big Data Paradigm with Compact Transformers, 2021; "
    "ReLU for GELU",
    build=build,
    data=COLOUR_DIGITS,
    goal=CLASSIFY,
    recipe=Recipe(epochs=12, learning_rate=1e-3, batch_size=32, weight_decay=0.03),
    vary=images_varied,
    learns=True,
)
