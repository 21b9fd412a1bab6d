"""A small student of the digit family's largest network: three logits, all ten, or labels only.

All three see the same varied images in the same order, begin at the same weights and have the same
epochs and learning rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from orchestrator.compression.digits import CLASSES, DigitSplit, load_split
from orchestrator.compression.fitting import FitConfig, fit, float_accuracy, seeded, varied
from orchestrator.compression.methods.distillation import (
    DistillationConfig,
    SparseLogits,
    Vary,
    distil,
    record,
)
from orchestrator.compression.networks import DigitNetwork, DigitNetworkConfig

TEACHER = DigitNetworkConfig(16, 32, 64, body_blocks=1, padded=True)
STUDENT = DigitNetworkConfig(stem=3, body=6, features=16)


@dataclass(frozen=True, slots=True)
class Compared:
    """One seed. Accuracies on held-out images, fractions; bytes for each sample and epoch."""

    seed: int
    teacher: float
    sparse: float
    sparse_bytes: float
    dense: float
    dense_bytes: float
    labels_only: float


def vary(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """As the product's own training varies digits."""
    return varied(images, FitConfig(), generator)


def compare(
    seed: int,
    config: DistillationConfig,
    teacher_epochs: int = 20,
    images: int | None = None,
    vary: Vary = vary,
) -> Compared:
    """Train a teacher, then a student on what it said in full and in part, and on labels."""
    split = load_split(seed)
    seeded(seed)
    teacher = DigitNetwork(TEACHER)
    fit(teacher, split.train, FitConfig(epochs=teacher_epochs), seed)
    inputs = torch.from_numpy(split.train.images[:images])
    every = record(teacher, inputs, vary, replace(config, kept=CLASSES), seed)
    few = fewer(every, config.kept)
    sayings = inputs.shape[0] * config.epochs
    return Compared(
        seed=seed,
        teacher=float_accuracy(teacher, split.held_out),
        sparse=_taught(split, inputs, few, config, seed, vary),
        sparse_bytes=len(few.to_bytes()) / sayings,
        dense=_taught(split, inputs, every, config, seed, vary),
        dense_bytes=len(every.to_bytes()) / sayings,
        labels_only=_taught(split, inputs, labels(split, few), config, seed, vary),
    )


def fewer(stored: SparseLogits, kept: int) -> SparseLogits:
    """Of each record the likeliest alone: what would have been stored for so many."""
    layout = np.dtype(
        [("seed", "<u4"), ("kept", stored.records.dtype["kept"].subdtype[0], (kept,))]
    )
    records = np.zeros(stored.records.shape, layout)
    records["seed"] = stored.records["seed"]
    records["kept"] = stored.records["kept"][..., :kept]
    return SparseLogits(records, stored.classes)


def labels(split: DigitSplit, stored: SparseLogits) -> SparseLogits:
    """The same seeds, with the true class alone at probability 1."""
    records = stored.records.copy()
    records["kept"]["probability"] = 0
    records["kept"]["probability"][..., 0] = 1
    records["kept"]["class"] = split.train.labels[: records.shape[1], None]
    records["kept"]["class"][..., 1:] = (records["kept"]["class"][..., :1] + 1) % CLASSES
    return SparseLogits(records, CLASSES)


def _taught(
    split: DigitSplit,
    inputs: torch.Tensor,
    stored: SparseLogits,
    config: DistillationConfig,
    seed: int,
    vary: Vary,
) -> float:
    seeded(seed)
    student = DigitNetwork(STUDENT)
    distil(student, inputs, stored, vary, config, seed)
    return float_accuracy(student, split.held_out)
