"""DFT-Gaze: ConvNeXt V2 in small, with adapters that a user's own images train.

Student and teacher differ in their widths alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from orchestrator.compression.datasets.eyes import SYNTHETIC_EYES
from orchestrator.compression.zoo.entry import Recipe, ZooEntry, scaled
from orchestrator.compression.zoo.goals import REGRESS
from orchestrator.compression.zoo.normalisation import GlobalResponseNorm, LayerNorm

STUDENT = (40, 20, 40, 80)
TEACHER = (40, 80, 160, 320)
DEPTHS = (2, 2, 6, 2)
_STEM, _LEAK = 4, 0.01


class Block(nn.Module):
    """7 x 7 depthwise, layer norm, four times as wide, global response norm, and back; added.

    Channels last throughout. ReLU, where the paper has GELU, which TFLite Micro has not.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.response = GlobalResponseNorm(4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, height, width, channels) -> the same shape."""
        seen = self.norm(_channels_last(self.depthwise(_channels_first(x))))
        return x + self.narrow(self.response(torch.relu(self.widen(seen))))


class Adapter(nn.Module):
    """A quarter as wide and back, with batch norm and leaky ReLU between; added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(width, width // 4, 1)
        self.norm = nn.BatchNorm2d(width // 4)
        self.widen = nn.Conv2d(width // 4, width, 1)
        nn.init.zeros_(self.widen.weight)  # at first it changes nothing
        if self.widen.bias is not None:
            nn.init.zeros_(self.widen.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, height, width, channels) -> the same shape."""
        narrow = self.norm(self.narrow(_channels_first(x)))
        # As a maximum: the quantizer leaves the operator of its own in floats.
        return x + _channels_last(self.widen(torch.maximum(narrow, _LEAK * narrow)))


class GazeNetwork(nn.Module):
    """Four stages; the mean over the image, normed, is the features of a head of two."""

    def __init__(self, widths: tuple[int, ...] = STUDENT, channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, widths[0], _STEM, _STEM)
        self.stem_norm = LayerNorm(widths[0])
        self.halvings = nn.ModuleList(
            Halving(before, after) for before, after in zip(widths, widths[1:], strict=False)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(nn.Sequential(Block(width), Adapter(width)) for _ in range(depth)))
            for width, depth in zip(widths, DEPTHS, strict=True)
        )
        self.norm = LayerNorm(widths[-1])
        self.head = nn.Linear(widths[-1], 2)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, height, width, 3) -> gaze (n, 2) in units of 30 degrees, features (n, channels)."""
        x = self.stem_norm(_channels_last(self.stem(_channels_first(images))))
        x = self.stages[0](x)
        for halving, stage in zip(self.halvings, list(self.stages)[1:], strict=True):
            x = stage(halving(x))
        features = self.norm(x.mean((1, 2)))
        return self.head(features), features

    def tunable(self) -> Iterator[nn.Parameter]:
        """What a user's own images train: adapters, final norm, head."""
        adapters = [module for module in self.modules() if isinstance(module, Adapter)]
        for module in (*adapters, self.norm, self.head):
            yield from module.parameters()


class Halving(nn.Module):
    """Layer norm, then a 2 x 2 convolution by steps of 2."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.norm = LayerNorm(before)
        self.convolution = nn.Conv2d(before, after, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, h, w, before) -> (n, h / 2, w / 2, after)."""
        return _channels_last(self.convolution(_channels_first(self.norm(x))))


def _channels_first(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 3, 1, 2)


def _channels_last(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1)


def build(width: float) -> GazeNetwork:
    """The student: 281,012 parameters at width 1, 14,432 of them tunable."""
    return GazeNetwork(tuple(scaled(each, width, least=4, multiple=4) for each in STUDENT))


def build_teacher(width: float) -> GazeNetwork:
    """The teacher, of which 191,702 parameters are tunable."""
    return GazeNetwork(tuple(scaled(each, width, least=4, multiple=4) for each in TEACHER))


ENTRY = ZooEntry(
    name="dft-gaze",
    task="where an eye looks, 32x64 colour images",
    source="after DFT-Gaze (GazeGen, H.-Y. Hsieh et al., 2024) on ConvNeXt V2 Atto (S. Woo et al., "
    "2023); ReLU for GELU",
    build=build,
    data=SYNTHETIC_EYES,
    goal=REGRESS,
    recipe=Recipe(epochs=10, learning_rate=3e-3, batch_size=32),
    learns=True,
)
