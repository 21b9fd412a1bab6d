"""Layer norm and global response norm as an int8 file can hold them.

Both multiply by the reciprocal of a root, which TensorFlow Lite has as an integer operator,
and subtract the mean first, so that no tensor holds a range far wider than its values.
"""

from __future__ import annotations

import torch
from torch import nn

_EPSILON = 1e-5


class LayerNorm(nn.Module):
    """J. L. Ba et al., 2016: over the last axis, with a learnt scale and shift."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., width) -> the same shape."""
        centred = x - x.mean(-1, keepdim=True)
        variance = (centred * centred).mean(-1, keepdim=True)
        return centred * torch.rsqrt(variance + _EPSILON) * self.weight + self.bias


class GlobalResponseNorm(nn.Module):
    """S. Woo et al., ConvNeXt V2, 2023: a channel by its strength among all channels.

    gamma * x * g / mean(g) + beta + x, where g is the root of a channel's squares over the image.
    Here g is that root of their mean: the quotient is the same.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, height, width, channels) -> the same shape."""
        power = (x * x).mean((1, 2), keepdim=True)
        strength = power * torch.rsqrt(power + _EPSILON)
        mean = strength.mean(-1, keepdim=True)
        share = strength * torch.rsqrt(mean * mean + _EPSILON)
        return x * (self.gamma * share + 1) + self.beta
