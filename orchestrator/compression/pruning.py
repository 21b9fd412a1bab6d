"""Structured pruning: whole channels leave, so every runtime is faster, not only sparse ones."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch_pruning

from orchestrator.compression.digits import IMAGE_SHAPE
from orchestrator.compression.networks import DigitNetwork


@dataclass(frozen=True, slots=True)
class PruningConfig:
    """`ratio` of the channels of every layer leave; widths stay multiples of `round_to`."""

    ratio: float
    round_to: int = 4


def pruned(network: DigitNetwork, config: PruningConfig) -> DigitNetwork:
    """A narrower copy that keeps the channels of the largest weights; it wants fine-tuning.

    Channels that depend on one another leave together and are judged by the norm of all weights
    that leave with them (G. Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023).
    The last layer keeps its classes; the features become fewer.
    """
    narrower = copy.deepcopy(network).eval()
    pruner = torch_pruning.BasePruner(
        narrower,
        torch.zeros(1, *IMAGE_SHAPE),
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=config.ratio,
        round_to=config.round_to,
        ignored_layers=[narrower.classifier],
    )
    pruner.step()
    return narrower
