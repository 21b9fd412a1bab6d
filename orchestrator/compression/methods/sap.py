"""Sparsity-informed adaptive pruning: each round leaves out as much as the PQ Index allows.

Source: E. Diao et al., "Pruning Deep Neural Networks from a Sparsity Perspective", ICLR 2023,
algorithm 1. Weights leave one by one; the network is taken back to its first weights and trained
again after each round (J. Frankle, M. Carbin, "The Lottery Ticket Hypothesis", ICLR 2019).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import structlog
import torch
from torch import nn
from torch.nn.utils import prune

from orchestrator.compression.methods.sparsity_index import Norms, fewest_kept, pq_index, turn

log = structlog.get_logger(__name__)

Train = Callable[[nn.Module], None]
"""Trains in place, from the weights that the network has; what is masked stays zero by itself."""
Judge = Callable[[nn.Module], float]
"""The accuracy as a fraction."""
Weighted = nn.Linear | nn.Conv1d | nn.Conv2d
"""A layer whose weights may leave."""
Masks = dict[str, torch.Tensor]
"""1 for each weight that is kept, by the name of its layer."""


class Scope(StrEnum):
    """Whether weights are compared over the whole network or within their layer."""

    GLOBAL = "global"
    LAYER = "layer"


@dataclass(frozen=True, slots=True)
class SapConfig:
    """How much leaves a round: floor(d min(gamma (1 - m/d), beta)) of d kept weights.

    `gamma` scales what the bound allows, `beta` is the most of any round, as a fraction. It ends
    after `rounds`, or where `least_density` of the weights are left: the last round takes no more.
    """

    norms: Norms = field(default_factory=Norms)
    gamma: float = 4.0
    beta: float = 0.9
    rounds: int = 6
    least_density: float = 0.01
    scope: Scope = Scope.GLOBAL


@dataclass(frozen=True, slots=True)
class SapRound:
    """After training in round `number`, of which 0 is dense. Fractions all."""

    number: int
    density: float
    index: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class SapOutcome:
    """What was seen round by round. `turned_in` is the round whose index says stop, if any did."""

    rounds: tuple[SapRound, ...]
    masks: Masks

    @property
    def turned_in(self) -> int | None:
        """The first round whose index stands clearly above the lowest before it."""
        return turn([each.index for each in self.rounds])


def pruned_from(count: int, index: float, config: SapConfig) -> int:
    """How many of `count` kept weights leave for an index."""
    share = config.gamma * (1 - fewest_kept(count, index, config.norms) / count)
    return math.floor(count * min(share, config.beta))


def prune_adaptively(
    network: nn.Module, train: Train, judge: Judge, config: SapConfig
) -> SapOutcome:
    """Train and prune in place, round by round. Weights of layers leave, biases do not.

    The network is left sparse, as trained in the last round. Logs each round, and a warning in the
    one whose index turns. ValueError for a network without such layers.
    """
    if not prunable(network):
        raise ValueError("the network has no dense or convolutional layer whose weights may leave")
    first = {name: value.clone() for name, value in network.state_dict().items()}
    masks = {name: torch.ones_like(layer.weight) for name, layer in prunable(network)}
    rounds = [_trained(network, masks, first, train, judge, 0, config)]
    while len(rounds) <= config.rounds and rounds[-1].density > config.least_density:
        masks = narrowed(network, masks, config)
        number = len(rounds)
        rounds.append(_trained(network, masks, first, train, judge, number, config))
        _tell(rounds)
    return SapOutcome(tuple(rounds), masks)


def prunable(network: nn.Module) -> list[tuple[str, Weighted]]:
    """Layers with weights that may leave, by name."""
    return [(name, layer) for name, layer in network.named_modules() if isinstance(layer, Weighted)]


def density(masks: Masks) -> float:
    """The share of weights that is kept."""
    return sum(float(m.sum()) for m in masks.values()) / sum(m.numel() for m in masks.values())


def narrowed(network: nn.Module, masks: Masks, config: SapConfig) -> Masks:
    """Masks without the smallest of the weights that are kept now."""
    groups = [list(masks)] if config.scope is Scope.GLOBAL else [[name] for name in masks]
    weights = dict(prunable(network))
    smaller: Masks = {}
    for names in groups:
        kept = _kept(weights, masks, names)
        stay = math.floor(config.least_density * sum(masks[name].numel() for name in names))
        leaving = pruned_from(len(kept), pq_index(kept, config.norms), config) if len(kept) else 0
        leaving = max(0, min(leaving, len(kept) - stay))
        smaller |= without_smallest(weights, {name: masks[name] for name in names}, leaving)
    return smaller


def without_smallest(weights: dict[str, Weighted], masks: Masks, leaving: int) -> Masks:
    """The masks less the `leaving` smallest kept weights of all of them together."""
    flat = torch.cat([mask.flatten() for mask in masks.values()])
    sizes = torch.cat([weights[name].weight.detach().abs().flatten() for name in masks])
    order = torch.where(flat > 0, sizes, torch.inf).argsort(stable=True)
    flat = flat.clone()
    flat[order[:leaving]] = 0
    parts = flat.split([mask.numel() for mask in masks.values()])
    return {
        name: part.reshape(mask.shape)
        for (name, mask), part in zip(masks.items(), parts, strict=True)
    }


def train_masked(network: nn.Module, masks: Masks, first: Masks, train: Train) -> None:
    """From the first weights on, with those masked zero throughout and afterwards."""
    network.load_state_dict(first)
    layers = dict(prunable(network))
    for name, mask in masks.items():
        prune.custom_from_mask(layers[name], "weight", mask)
    try:
        train(network)
    finally:
        for name in masks:
            prune.remove(layers[name], "weight")


def _kept(weights: dict[str, Weighted], masks: Masks, names: list[str]) -> torch.Tensor:
    return torch.cat([weights[name].weight.detach()[masks[name] > 0] for name in names])


def _trained(
    network: nn.Module,
    masks: Masks,
    first: Masks,
    train: Train,
    judge: Judge,
    number: int,
    config: SapConfig,
) -> SapRound:
    train_masked(network, masks, first, train)
    kept = _kept(dict(prunable(network)), masks, list(masks))
    return SapRound(number, density(masks), pq_index(kept, config.norms), judge(network))


def _tell(rounds: list[SapRound]) -> None:
    last = rounds[-1]
    facts = {"round": last.number, "density": last.density, "index": last.index}
    log.info("pruned", accuracy=last.accuracy, **facts)
    if turn([each.index for each in rounds]) == last.number:
        log.warning("pruning_should_stop", why="the PQ Index turned", **facts)
