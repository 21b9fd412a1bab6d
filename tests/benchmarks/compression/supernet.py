"""A supernet of digit MLPs trained by adjacent banks beside one trained on subnets drawn uniformly.

Same first weights, same batches in the same order, as many subnets a step. Every subnet is judged.
Each class of devices, which is a board with its firmware, then gets the largest that it can run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

import registry
from device_firmware_sim.builds import BUILDS, Build
from ontology.facts import Capacity, Constraint, Limits, Need, Reason, RuntimeId
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
from orchestrator.policy.budgets import ALWAYS, Budget, merged
from orchestrator.policy.footprints import footprint_of
from registry.footprint.core_speed import pace_of
from registry.footprint.description import Board
from registry.footprint.figures import RUNTIME
from registry.services.catalogue_entries import read_catalogue

BATCH = 128
WITHIN_MS = 0.5
"""The latest answer, where one can be predicted: CMSIS-NN on a Cortex-M4 or M7."""


@dataclass(frozen=True, slots=True)
class Served:
    """A class of devices, its subnet and that file's accuracy; None where not even the least fits.

    `reasons` is what the product says of each constraint of the subnet, or of the least one.
    """

    devices: str
    subnet: Subnet | None
    accuracy: float | None
    reasons: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Compared:
    """One seed. Mean accuracies on held-out images, fractions: of each bank, and of all subnets."""

    seed: int
    adjacent: list[float]
    uniform: list[float]
    adjacent_all: float
    uniform_all: float
    served: list[Served]


def compare(seed: int, config: SupernetConfig, budgets: Sequence[Budget]) -> Compared:
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
        served=served(adjacent, config, split, budgets),
    )


def device_classes() -> list[Budget]:
    """What each firmware build leaves to a model; builds that leave the same are one class."""
    return merged(_budget(build) for build in BUILDS.values())


def served(
    network: SlimmableMlp, config: SupernetConfig, split: DigitSplit, budgets: Sequence[Budget]
) -> list[Served]:
    """For each class of devices the largest subnet whose int8 file keeps its whole budget.

    Where none does, what the smallest one lacks.
    """
    ordered = sorted(config.subnets(), key=network.macs)
    boards = [budget.board for budget in budgets if budget.board is not None]

    @cache
    def file(subnet: Subnet) -> tuple[bytes, Need]:
        data = convert_int8(network.taken_out(subnet), split.calibration.images)
        return data, footprint_of(data, boards).need(str(subnet), sensors=None)

    found = []
    for budget in budgets:
        chosen = largest_within(
            ordered, lambda subnet, budget=budget: budget.may_serve(file(subnet)[1])
        )
        data, need = file(chosen or ordered[0])
        accuracy = evaluate(data, split.held_out).accuracy if chosen else None
        reasons = budget.judge(need).reasons
        found.append(Served(budget.name, chosen, accuracy, [_shown(each) for each in reasons]))
    return found


def _budget(build: Build) -> Budget:
    core, clock_hz = _cores()[build.board]
    board = Board(build.board, core, clock_hz)
    runtime = RuntimeId(RUNTIME, "", build.kernels)
    timed = build.kernels == "cmsis_nn" and pace_of(core, clock_hz) is not None
    return Budget(
        names=(build.title,),
        capacity=Capacity(
            profile="",
            slot_bytes=build.slot_bytes,
            arena_budget_bytes=build.arena_budget_bytes,
            runtime=runtime,
            operators=build.operators,
            dtypes=frozenset(build.dtypes),
            board=build.board,
        ),
        limits=Limits(latency_ms=WITHIN_MS if timed else None),
        asked=ALWAYS - {Constraint.SENSORS},
        board=board if timed else None,
    )


@cache
def _cores() -> dict[str, tuple[str, int]]:
    boards = read_catalogue(Path(registry.__file__).parent / "catalogue").boards
    return {board.slug: (board.core, board.clock_hz) for board in boards}


def _shown(reason: Reason) -> dict[str, Any]:
    return {
        "constraint": reason.constraint.value,
        "need": reason.need,
        "have": reason.have,
        "holds": reason.holds,
    }


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
