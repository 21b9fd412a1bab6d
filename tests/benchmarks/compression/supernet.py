"""A supernet of digit MLPs trained by adjacent banks beside one trained on subnets drawn uniformly.

Same first weights, same batches in the same order, as many subnets a step. Every subnet is judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import fmean

import torch

from orchestrator.compression.conversion import convert_int8
from orchestrator.compression.digits import CLASSES, DigitImages, DigitSplit, load_split
from orchestrator.compression.evaluation import evaluate
from orchestrator.compression.fitting import FitConfig, seeded, varied
from orchestrator.compression.methods.supernet import (
    SlimmableMlp,
    Subnet,
    SupernetConfig,
    banks_of,
    largest_within,
    train_supernet,
)

BATCH = 128
SLOTS = {"4 KiB": 4096, "8 KiB": 8192, "16 KiB": 16384, "32 KiB": 32768}
"""Model slots in bytes."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One seed. Mean accuracies on held-out images, fractions: of each bank, and of all subnets."""

    seed: int
    adjacent: list[float]
    uniform: list[float]
    adjacent_all: float
    uniform_all: float
    served: dict[str, dict[str, float]]


def compare(seed: int, config: SupernetConfig, devices: dict[str, int]) -> Compared:
    """Train both, judge every subnet of both, and take one out for each class of devices."""
    split = load_split(seed)
    adjacent = _trained(split, config, seed)
    uniform = _trained(split, replace(config, banks=1), seed)
    banks = banks_of(config.subnets(), adjacent.macs, config.banks)
    return Compared(
        seed=seed,
        adjacent=[_mean(adjacent, bank, split.held_out) for bank in banks],
        uniform=[_mean(uniform, bank, split.held_out) for bank in banks],
        adjacent_all=_mean(adjacent, config.subnets(), split.held_out),
        uniform_all=_mean(uniform, config.subnets(), split.held_out),
        served=served(adjacent, config, split, devices),
    )


def served(
    network: SlimmableMlp, config: SupernetConfig, split: DigitSplit, devices: dict[str, int]
) -> dict[str, dict[str, float]]:
    """For each class of devices the largest subnet whose int8 file fits the slot."""
    files: dict[Subnet, bytes] = {}

    def size(subnet: Subnet) -> int:
        if subnet not in files:
            files[subnet] = convert_int8(network.taken_out(subnet), split.calibration.images)
        return len(files[subnet])

    ordered = sorted(config.subnets(), key=network.macs)
    found = {}
    for name, slot_bytes in devices.items():
        chosen = largest_within(ordered, lambda subnet, most=slot_bytes: size(subnet) <= most)
        if chosen is not None:
            accuracy = evaluate(files[chosen], split.held_out).accuracy
            found[name] = {"bytes": len(files[chosen]), "accuracy": accuracy}
    return found


def _trained(split: DigitSplit, config: SupernetConfig, seed: int) -> SlimmableMlp:
    seeded(seed)
    network = SlimmableMlp(64, CLASSES, config)
    generator = torch.Generator().manual_seed(seed)
    images, labels = torch.from_numpy(split.train.images), torch.from_numpy(split.train.labels)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = torch.randperm(len(labels), generator=generator)
        seen = varied(images[order], FitConfig(), generator)
        yield from zip(seen.split(BATCH), labels[order].split(BATCH), strict=True)

    train_supernet(network, batches, math.ceil(len(labels) / BATCH), config, seed)
    return network


def _mean(network: SlimmableMlp, bank: list[Subnet], data: DigitImages) -> float:
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    with torch.no_grad():
        return fmean(
            float((network(images, subnet).argmax(1) == labels).float().mean()) for subnet in bank
        )
