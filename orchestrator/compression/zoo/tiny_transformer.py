"""A transformer over the frames of a sound, in at most 6,500 parameters."""

from __future__ import annotations

import torch
from torch import nn

from orchestrator.compression.datasets.spoken_digits import (
    CLASSES,
    COUNT,
    FRAMES,
    SPOKEN_DIGITS_LOG_MEL,
)
from orchestrator.compression.zoo.attention import SequencePool, TransformerLayer
from orchestrator.compression.zoo.entry import Recipe, ZooEntry, scaled
from orchestrator.compression.zoo.goals import CLASSIFY
from orchestrator.compression.zoo.normalisation import LayerNorm
from orchestrator.compression.zoo.variation import spectra_varied

WIDTH, HEADS, HIDDEN, LAYERS = 16, 2, 32, 2
_FRAMES_A_TOKEN, _STEP = 3, 2


class TinyTransformer(nn.Module):
    """Tokens of three frames by steps of two, learnt places, two layers, sequence pooling."""

    def __init__(self, width: int = WIDTH, hidden: int = HIDDEN, classes: int = CLASSES) -> None:
        super().__init__()
        tokens = (COUNT - _FRAMES_A_TOKEN) // _STEP + 1
        self.tokens = nn.Conv2d(FRAMES.bands, width, (_FRAMES_A_TOKEN, 1), (_STEP, 1))
        self.places = nn.Parameter(0.1 * torch.randn(1, tokens, width))
        self.layers = nn.Sequential(
            *(TransformerLayer(width, HEADS, hidden) for _ in range(LAYERS))
        )
        self.norm = LayerNorm(width)
        self.pool = SequencePool(width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, spectra: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, 49, 20) -> logits (n, classes), features (n, width)."""
        frames = spectra[:, :, None].permute(0, 3, 1, 2)
        tokens = self.tokens(frames).flatten(2).transpose(1, 2)
        features = self.pool(self.norm(self.layers(tokens + self.places)))
        return self.classifier(features), features


def build(width: float) -> TinyTransformer:
    """At most 6,500 parameters at width 1."""
    return TinyTransformer(scaled(WIDTH, width, 2, multiple=HEADS), scaled(HIDDEN, width))


ENTRY = ZooEntry(
    name="tiny-transformer",
    task="spoken digits, one second of sound",
    source="after D. Elliott et al., Tiny Transformers for Environmental Sound Classification at "
    "the Edge, 2021; pooling after A. Hassani et al., 2021",
    build=build,
    data=SPOKEN_DIGITS_LOG_MEL,
    goal=CLASSIFY,
    recipe=Recipe(epochs=25, learning_rate=1e-2),
    vary=spectra_varied,
    learns=True,
)
