"""Training of any network of the zoo, the same to the bit for the same seed on one machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from orchestrator.compression.datasets.samples import Floats, Samples
from orchestrator.compression.evaluation import Int8Classifier
from orchestrator.compression.fitting import EpochHook
from orchestrator.compression.zoo.entry import ZooEntry

THREADS = 1  # see fitting.py: networks this small lose by more
_AT_ONCE = 256

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def trained(
    entry: ZooEntry,
    samples: Samples,
    seed: int,
    *,
    width: float = 1.0,
    epochs: int | None = None,
    on_epoch: EpochHook = lambda share: None,
) -> nn.Module:
    """A network of the entry, built and trained by its recipe; `epochs` overrides the recipe's."""
    torch.manual_seed(seed)
    network = entry.build(width)
    fit(network, entry, samples, seed, epochs=epochs, on_epoch=on_epoch)
    return network


def fit(
    network: nn.Module,
    entry: ZooEntry,
    samples: Samples,
    seed: int,
    *,
    epochs: int | None = None,
    on_epoch: EpochHook = lambda share: None,
) -> None:
    """Train what needs a gradient, in place, and leave the network in evaluation mode."""
    torch.set_num_threads(THREADS)
    generator = torch.Generator().manual_seed(seed)
    recipe = entry.recipe if epochs is None else replace(entry.recipe, epochs=epochs)
    inputs, targets = torch.from_numpy(samples.inputs), torch.from_numpy(samples.targets)
    weights = [each for each in network.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(weights, recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * math.ceil(len(samples) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=steps
    )
    network.train()
    for epoch in range(recipe.epochs):
        for chosen in torch.randperm(len(samples), generator=generator).split(recipe.batch_size):
            answer = answer_of(network(entry.vary(inputs[chosen], generator)))
            optimizer.zero_grad()
            entry.goal.loss(answer, targets[chosen]).backward()
            optimizer.step()
            schedule.step()
        on_epoch((epoch + 1) / recipe.epochs)
    network.eval()


def answer_of(output: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    """The answer of a network that may give features as well."""
    return output if isinstance(output, torch.Tensor) else output[0]


def outputs(network: nn.Module, inputs: Floats) -> list[Floats]:
    """All that the network says of each of (n, ...), in evaluation mode: its answer first."""
    torch.set_num_threads(THREADS)
    network.eval()
    with torch.no_grad():
        said = [network(part) for part in torch.from_numpy(inputs).split(_AT_ONCE)]
    rows = [(each,) if isinstance(each, torch.Tensor) else each for each in said]
    return [torch.cat(each).numpy() for each in zip(*rows, strict=True)]


def float_score(network: nn.Module, entry: ZooEntry, samples: Samples) -> float:
    """The network's score before it is quantized."""
    return entry.goal.score(outputs(network, samples.inputs)[0], samples)


def int8_score(model: bytes, entry: ZooEntry, samples: Samples) -> float:
    """The score of the int8 file itself."""
    return entry.goal.score(Int8Classifier(model).run(samples.inputs)[0], samples)
