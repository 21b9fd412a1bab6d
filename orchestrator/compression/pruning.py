"""Structured pruning: whole channels leave, so every runtime is faster, not only sparse ones."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch_pruning
from torch import nn

from orchestrator.compression.digits import IMAGE_SHAPE
from orchestrator.compression.networks import DigitNetwork

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class PruningConfig:
    """`ratio` of the channels of every layer leave; widths stay multiples of `round_to`."""

    ratio: float
    round_to: int = 4


def pruned(network: DigitNetwork, config: PruningConfig) -> DigitNetwork:
    """A digit network `narrowed`: it keeps its classes, the features become fewer."""
    return narrowed(network, config, torch.zeros(1, *IMAGE_SHAPE))


def narrowed(network: Network, config: PruningConfig, sample: torch.Tensor) -> Network:
    """A narrower copy that keeps the channels of the largest weights; it wants fine-tuning.

    `sample` is one input, (1, ...). What the last layer answers stays as it is. Channels that
    depend on one another leave together and are judged by the norm of all weights that leave with
    them (G. Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023).
    """
    narrower = copy.deepcopy(network).eval()
    pruner = torch_pruning.BasePruner(
        narrower,
        sample,
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=config.ratio,
        round_to=config.round_to,
        ignored_layers=[_last_layer(narrower)],
    )
    pruner.step()
    return narrower


def _last_layer(network: nn.Module) -> nn.Module:
    """By the order in which layers with channels were made."""
    return [each for each in network.modules() if isinstance(each, nn.Linear | nn.Conv2d)][-1]
