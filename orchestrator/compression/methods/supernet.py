"""One network that holds many: each subnet uses the first outputs of each layer.

Source: C. Tang et al., "ElasticViT: Conflict-aware Supernet Training for Deploying Fast Vision
Transformer on Diverse Mobile Devices", ICCV 2023, section 3.2: subnets stand in banks by their
complexity, and one step's bank is next to the last step's, so that steps pull alike and
small subnets, of which there are few, are trained as often as others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

import torch
from torch import nn

_THREADS = 1  # networks this small lose by more
_WIDTHS = tuple(range(4, 128, 8))

Subnet = tuple[int, ...]
"""The width of each hidden layer."""
Batches = Callable[[], Iterator[tuple[torch.Tensor, torch.Tensor]]]
"""One epoch of inputs and labels."""


@dataclass(frozen=True, slots=True)
class SupernetConfig:
    """`per_step` subnets are trained in each step; AdamW with a one-cycle learning rate.

    `banks` parts of equal ratio of multiply-accumulates; 1 is uniform sampling over all subnets.
    `evenness` 1 visits all banks equally often, 0 by the number of their subnets.
    """

    widths: tuple[tuple[int, ...], ...] = (_WIDTHS, _WIDTHS)
    banks: int = 5
    evenness: float = 0.75
    per_step: int = 2
    epochs: int = 240
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2

    def subnets(self) -> list[Subnet]:
        """Every choice of a width for each layer."""
        return list(product(*self.widths))


class SlimmableMlp(nn.Module):
    """Dense layers that also work with their first outputs alone; inputs are flattened."""

    def __init__(self, inputs: int, classes: int, config: SupernetConfig) -> None:
        super().__init__()
        self.ends = inputs, classes
        sizes = [inputs, *(max(choices) for choices in config.widths), classes]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False))

    def forward(self, inputs: torch.Tensor, subnet: Subnet) -> torch.Tensor:
        """Logits (n, classes) of a subnet."""
        values = inputs.flatten(1)
        for layer, width in zip(self._dense(), (*subnet, self.ends[1]), strict=True):
            weight = layer.weight[:width, : values.shape[1]]
            values = nn.functional.linear(values, weight, layer.bias[:width])
            if layer is not self.layers[-1]:
                values = values.relu()
        return values

    def taken_out(self, subnet: Subnet) -> nn.Sequential:
        """A network of its own that says what the subnet says."""
        sizes = [self.ends[0], *subnet, self.ends[1]]
        parts: list[nn.Module] = [nn.Flatten()]
        for layer, (a, b) in zip(self._dense(), zip(sizes, sizes[1:], strict=False), strict=True):
            own = nn.Linear(a, b)
            with torch.no_grad():
                own.weight.copy_(layer.weight[:b, :a])
                own.bias.copy_(layer.bias[:b])
            parts += [own, nn.ReLU()]
        return nn.Sequential(*parts[:-1])

    def macs(self, subnet: Subnet) -> int:
        """Multiply-accumulates of one inference, which are its weights too."""
        sizes = [self.ends[0], *subnet, self.ends[1]]
        return sum(a * b for a, b in zip(sizes, sizes[1:], strict=False))

    def _dense(self) -> list[nn.Linear]:
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]


def banks_of(
    subnets: Sequence[Subnet], complexity: Callable[[Subnet], int], count: int
) -> list[list[Subnet]]:
    """Subnets by complexity in up to `count` parts of equal ratio, smallest first.

    A part between two edges that holds no subnet is left out, so that none is empty.
    """
    ordered = sorted(subnets, key=complexity)
    least, most = complexity(ordered[0]), complexity(ordered[-1])
    edges = [least * (most / least) ** (part / count) for part in range(1, count)]
    banks: list[list[Subnet]] = [[] for _ in range(count)]
    for subnet in ordered:
        banks[sum(complexity(subnet) > edge for edge in edges)].append(subnet)
    return [bank for bank in banks if bank]


def walk(
    banks: Sequence[Sequence[Subnet]], per_step: int, seed: int, evenness: float = 1.0
) -> Iterator[list[Subnet]]:
    """Each step's subnets, all of one bank that is the last step's or next to it.

    In the long run a bank of n subnets is visited in proportion to n^(1 - evenness). A step beyond
    either end stays there; one to a bank of less weight is made by chance, in proportion (N.
    Metropolis et al., "Equation of State Calculations by Fast Computing Machines", 1953).
    """
    chance = Random(seed)
    weights = [len(bank) ** (1 - evenness) for bank in banks]
    place = chance.randrange(len(banks))
    while True:
        yield chance.choices(banks[place], k=per_step)
        beside = min(len(banks) - 1, max(0, place + chance.choice((-1, 0, 1))))
        if weights[beside] >= weights[place] or chance.random() * weights[place] < weights[beside]:
            place = beside


def train_supernet(
    network: SlimmableMlp, batches: Batches, steps: int, config: SupernetConfig, seed: int
) -> None:
    """Train in place; each of an epoch's `steps` batches is for the subnets of one step."""
    torch.set_num_threads(_THREADS)
    optimizer = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=steps * config.epochs
    )
    banks = banks_of(config.subnets(), network.macs, config.banks)
    sampled = walk(banks, config.per_step, seed, config.evenness)
    network.train()
    for _ in range(config.epochs):
        for inputs, labels in batches():
            optimizer.zero_grad()
            for subnet in next(sampled):
                loss = nn.functional.cross_entropy(network(inputs, subnet), labels)
                (loss / config.per_step).backward()
            optimizer.step()
            schedule.step()
    network.eval()


def largest_within(subnets: Sequence[Subnet], fits: Callable[[Subnet], bool]) -> Subnet | None:
    """The last of `subnets`, least complex first, that fits; None where none does.

    Asks `fits`, which may convert, few times: it is taken that what is larger fits less.
    """
    low, high = 0, len(subnets)
    while low < high:
        middle = (low + high) // 2
        if fits(subnets[middle]):
            low = middle + 1
        else:
            high = middle
    return subnets[low - 1] if low else None
