"""What the zoo knows of a network: how it is built, on what data, and how it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from orchestrator.compression.datasets.samples import DataSet
from orchestrator.compression.zoo.goals import Goal

Vary = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
"""Inputs (n, ...) changed a little, by chance, as other sensors would have seen them."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """AdamW with a one-cycle learning rate that peaks at `learning_rate`."""

    epochs: int
    learning_rate: float = 4e-3
    batch_size: int = 64
    weight_decay: float = 1e-4


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """One network of the zoo.

    `build` takes a width, 1 for the network as `source` describes it; widths go to whole channels.
    A built network takes inputs (n, *data.shape) and answers a tuple: the answer first, and where
    it `learns` on the device, the features of its last layer second. It `prunes` where half of the
    channels of a network twice as wide leave the network itself: attention's heads and parameters
    of an own kind do not.
    """

    name: str
    task: str
    source: str
    build: Callable[[float], nn.Module]
    data: DataSet
    goal: Goal
    recipe: Recipe
    vary: Vary = lambda inputs, generator: inputs
    learns: bool = False
    prunes: bool = False


def parameters(network: nn.Module) -> int:
    """How many weights, frozen ones too; buffers are not counted."""
    return sum(weights.numel() for weights in network.parameters())


def scaled(channels: int, width: float, least: int = 2, multiple: int = 1) -> int:
    """So many channels at a width, a multiple of `multiple` and never under `least`."""
    return max(least, round(channels * width / multiple) * multiple)
