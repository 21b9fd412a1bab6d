"""Adapt-Pruner: layers that change little of what passes them lose more of their width.

Source: R. Pan et al., "Adapt-Pruner: Adaptive Structural Pruning for Efficient Small Language
Model Training", 2025 (arXiv 2502.03460), sections 3.1 to 3.3. Whole channels leave, with
all that depends on them (torch-pruning's dependency graph).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch_pruning
from torch import nn

_MOST = 0.99  # of a layer's channels; at least one stays in any case


@dataclass(frozen=True, slots=True)
class AdaptPrunerConfig:
    """`steps` of 1/steps each, moved by `amplitude` times a layer's importance.

    Ends at `parameters_left`, a fraction of the network's parameters, or after the last step.
    An amplitude of 0 prunes every layer alike.
    """

    amplitude: float = 0.02
    steps: int = 50
    parameters_left: float = 0.35


@dataclass(frozen=True, slots=True)
class Layer:
    """A residual block and the layer in it whose outputs may leave: of a convolution, channels."""

    block: nn.Module
    widening: nn.Conv2d | nn.Linear

    @property
    def width(self) -> int:
        """Outputs that the widening layer has now."""
        return self.widening.weight.shape[0]


@dataclass(frozen=True, slots=True)
class Examples:
    """Inputs and labels by which layers and channels are judged; not those that are reported on."""

    inputs: torch.Tensor
    labels: torch.Tensor


@dataclass(frozen=True, slots=True)
class PrunedLayers:
    """What is left of the parameters, as a fraction, and the ratio that each layer came to."""

    parameters_left: float
    ratios: tuple[float, ...]
    steps: int


def importances(similarities: Sequence[float]) -> list[float]:
    """Of each layer, from the mean cosine of its input and output: minus it, centred, in [-1, 1].

    Where all are equal they are all 0.
    """
    if not similarities:
        return []
    mean = sum(similarities) / len(similarities)
    centred = [mean - similarity for similarity in similarities]
    largest = max(abs(value) for value in centred)
    return [value / largest if largest > 1e-12 else 0.0 for value in centred]


def next_ratio(ratio: float, importance: float, config: AdaptPrunerConfig) -> float:
    """s <- clip(s + 1/steps - A I, 0, 0.99)."""
    return min(_MOST, max(0.0, ratio + 1 / config.steps - config.amplitude * importance))


def prune_by_importance(
    network: nn.Module, layers: Sequence[Layer], examples: Examples, config: AdaptPrunerConfig
) -> PrunedLayers:
    """Narrow the layers in place, without training, until few enough parameters are left.

    The network answers logits, alone or first of a tuple. Importances are taken anew each step, of
    the network as it is then.
    """
    network.eval()
    whole = _parameters(network)
    widths = [layer.width for layer in layers]
    ratios = [0.0] * len(layers)
    step = 0
    while step < config.steps and _parameters(network) > config.parameters_left * whole:
        judged = importances(similarities(network, layers, examples.inputs))
        ratios = [next_ratio(*each, config) for each in zip(ratios, judged, strict=True)]
        _narrow(
            network,
            layers,
            examples,
            [
                max(1, round(width * (1 - ratio)))
                for width, ratio in zip(widths, ratios, strict=True)
            ],
        )
        step += 1
    return PrunedLayers(_parameters(network) / whole, tuple(ratios), step)


def similarities(network: nn.Module, layers: Sequence[Layer], inputs: torch.Tensor) -> list[float]:
    """The mean over samples of the cosine of each block's input and output."""
    seen: dict[int, float] = {}

    def watch(block: nn.Module, given: tuple[torch.Tensor], answer: torch.Tensor) -> None:
        both = given[0].flatten(1), answer.flatten(1)
        seen[id(block)] = float(nn.functional.cosine_similarity(*both).mean())

    hooks = [layer.block.register_forward_hook(watch) for layer in layers]
    with torch.no_grad():
        network(inputs)
    for hook in hooks:
        hook.remove()
    return [seen[id(layer.block)] for layer in layers]


def _narrow(
    network: nn.Module, layers: Sequence[Layer], examples: Examples, widths: Sequence[int]
) -> None:
    """Bring each layer to its width; the channels with the least |w dL/dw| of their group leave."""
    _accumulate_gradients(network, examples)
    graph = torch_pruning.DependencyGraph().build_dependency(network, examples.inputs[:1])
    for layer, width in zip(layers, widths, strict=True):
        if width < layer.width:  # where it is coupled with one before it has been narrowed by now
            _remove_channels(graph, layer, layer.width - width)
    network.zero_grad(set_to_none=True)


def _remove_channels(graph: torch_pruning.DependencyGraph, layer: Layer, count: int) -> None:
    """Where grouped convolutions take part, as many of each group, at the same places in it.

    Of such a group two stay: with one it would count as depthwise, which it is not.
    """
    importance = torch_pruning.importance.GroupTaylorImportance(
        group_reduction="sum", normalizer=None
    )
    prune = graph.get_pruner_of_module(layer.widening).prune_out_channels
    whole = graph.get_pruning_group(layer.widening, prune, list(range(layer.width)))
    parts = max(_parts(member.dep.target.module) for member in whole)
    each = layer.width // parts
    count = count if parts == 1 else max(0, min(count // parts, each - 2))
    order = importance(whole).reshape(parts, each).sum(0).argsort()[:count]
    leaving = [int(place) + part * each for part in range(parts) for place in order]
    if leaving:
        graph.get_pruning_group(layer.widening, prune, leaving).prune()


def _parts(module: nn.Module) -> int:
    """In how many parts its channels are held apart; a depthwise convolution's go one by one."""
    if not isinstance(module, nn.Conv2d):
        return 1
    return 1 if module.groups == module.in_channels == module.out_channels else module.groups


def _accumulate_gradients(network: nn.Module, examples: Examples) -> None:
    network.zero_grad(set_to_none=True)
    answer = network(examples.inputs)
    logits = answer if isinstance(answer, torch.Tensor) else answer[0]
    nn.functional.cross_entropy(logits, examples.labels).backward()


def _parameters(network: nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())
