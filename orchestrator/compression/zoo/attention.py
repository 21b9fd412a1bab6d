"""A transformer's layer, in operators that integer kernels have."""

from __future__ import annotations

import torch
from torch import nn

from orchestrator.compression.zoo.normalisation import LayerNorm


class SelfAttention(nn.Module):
    """A. Vaswani et al., 2017; queries, keys and values are one layer without bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.mixed = nn.Linear(width, 3 * width, bias=False)
        self.projection = nn.Linear(width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, tokens, width) -> the same shape."""
        queries, keys, values = (self._by_head(part) for part in self.mixed(tokens).chunk(3, -1))
        scale = queries.shape[-1] ** -0.5
        shares = torch.softmax((queries * scale) @ keys.transpose(-2, -1), -1)
        gathered = (shares @ values).transpose(1, 2)
        return self.projection(gathered.reshape(tokens.shape))

    def _by_head(self, tokens: torch.Tensor) -> torch.Tensor:
        count, length, width = tokens.shape
        return tokens.reshape(count, length, self.heads, width // self.heads).transpose(1, 2)


class TransformerLayer(nn.Module):
    """Norms first; ReLU in the feed-forward part, since microcontrollers' runtime has no GELU."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.hidden_norm = LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, tokens, width) -> the same shape."""
        tokens = tokens + self.dropout(self.attention(self.norm(tokens)))
        return tokens + self.dropout(self.feed_forward(self.hidden_norm(tokens)))


class SequencePool(nn.Module):
    """A. Hassani et al., 2021: the mean of all tokens by weights that are learnt from them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(width, 1)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, tokens, width) -> (n, width)."""
        shares = torch.softmax(self.weigh(tokens).transpose(1, 2), -1)
        return (shares @ tokens).flatten(1)
