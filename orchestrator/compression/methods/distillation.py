"""Distillation from a teacher's sparse logits, which are stored once and replayed to any student.

Source: K. Wu et al., "TinyViT: Fast Pretraining Distillation for Small Vision Transformers", ECCV
2022, section 3.1. For every sample and epoch four bytes say how the sample was varied and four
bytes each the K likeliest classes with their probabilities; the teacher is needed no more then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

Vary = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
"""Inputs (n, ...) changed a little by chance; all chance comes from the generator."""

_MOST_CLASSES = 1 << 16
_THREADS = 1  # networks this small lose by more


class LogitsRefused(ValueError):
    """Stored logits that cannot be what they are said to be; says why."""


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """`kept` is K. AdamW with a one-cycle learning rate; a `temperature` above 1 softens."""

    kept: int = 3
    epochs: int = 30
    temperature: float = 1.0
    learning_rate: float = 1e-2
    batch_size: int = 64
    weight_decay: float = 1e-4


@dataclass(frozen=True, slots=True)
class SparseLogits:
    """`records` (epochs, samples), each a seed and K (class, probability); likeliest first."""

    records: npt.NDArray[Any]
    classes: int

    def to_bytes(self) -> bytes:
        """4 + 4K bytes for each sample and epoch, little-endian, epoch by epoch; nothing else."""
        return self.records.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes, samples: int, classes: int, kept: int) -> SparseLogits:
        """LogitsRefused for bytes that are not whole epochs of such records, or not possible."""
        layout = _layout(kept, classes)
        epoch_bytes = samples * layout.itemsize
        if epoch_bytes == 0 or not data or len(data) % epoch_bytes:
            raise LogitsRefused(
                f"{len(data)} bytes are not whole epochs of {samples} samples with {kept} of"
                f" {classes} classes, {epoch_bytes} bytes each"
            )
        records = np.frombuffer(data, layout).reshape(-1, samples)
        if (records["kept"]["class"] >= classes).any():
            raise LogitsRefused(f"a class is named that is not one of {classes}")
        values = records["kept"]["probability"]
        if not ((values >= 0) & (values <= 1)).all():
            raise LogitsRefused("a probability is not between 0 and 1")
        return cls(records, classes)

    def seeds(self, epoch: int) -> npt.NDArray[np.uint32]:
        """By which each sample of the epoch was varied, (samples,)."""
        return np.asarray(self.records[epoch]["seed"])

    def targets(self, epoch: int) -> torch.Tensor:
        """Probabilities (samples, classes); what was not kept is spread evenly over the others."""
        entries = self.records[epoch]["kept"]
        values = torch.from_numpy(entries["probability"].astype(np.float32))
        places = torch.from_numpy(entries["class"].astype(np.int64))
        others = self.classes - places.shape[1]
        rest = (1 - values.sum(1, keepdim=True)).clamp(min=0) / max(1, others)
        dense = rest.expand(-1, self.classes).clone() if others else torch.zeros_like(values)
        return dense.scatter(1, places, values)


def views(inputs: torch.Tensor, seeds: npt.NDArray[np.uint32], vary: Vary) -> torch.Tensor:
    """Each of (n, ...) varied by its own seed alone: the same to the bit in any company."""
    seen = [
        vary(each[None], torch.Generator().manual_seed(int(seed)))
        for each, seed in zip(inputs, seeds, strict=True)
    ]
    return torch.cat(seen)


def record(
    teacher: nn.Module, inputs: torch.Tensor, vary: Vary, config: DistillationConfig, seed: int
) -> SparseLogits:
    """What the teacher says of every sample in every epoch, as each is varied there.

    The teacher answers logits (n, classes), alone or first of a tuple. LogitsRefused where it
    has fewer classes than are to be kept, or says what is not finite.
    """
    torch.set_num_threads(_THREADS)
    teacher.eval()
    chance = np.random.default_rng(seed)
    seeds = chance.integers(0, 1 << 32, (config.epochs, len(inputs)), np.uint32)
    said = [_said(teacher, views(inputs, epoch, vary), config) for epoch in seeds]
    if not all(bool(each.isfinite().all()) for each in said):
        raise LogitsRefused("the teacher's logits are not all finite")
    classes = said[0].shape[1]
    records = np.zeros(seeds.shape, _layout(config.kept, classes))
    records["seed"] = seeds
    for epoch, probabilities in enumerate(said):
        values, places = probabilities.topk(config.kept)
        records[epoch]["kept"]["class"] = places.numpy()
        records[epoch]["kept"]["probability"] = values.numpy()
    return SparseLogits(records, classes)


def distil(
    student: nn.Module,
    inputs: torch.Tensor,
    stored: SparseLogits,
    vary: Vary,
    config: DistillationConfig,
    seed: int,
) -> None:
    """Train in place on what is stored, all its epochs; neither teacher nor labels are asked.

    The same to the bit for the same seed and bytes. The student is left in evaluation mode.
    """
    torch.set_num_threads(_THREADS)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(
        student.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    epochs = len(stored.records)
    steps = epochs * math.ceil(len(inputs) / config.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=steps
    )
    student.train()
    for epoch in range(epochs):
        seen, wanted = views(inputs, stored.seeds(epoch), vary), stored.targets(epoch)
        for chosen in _batches(len(inputs), config.batch_size, generator):
            logits = _logits(student(seen[chosen])) / config.temperature
            loss = nn.functional.cross_entropy(logits, wanted[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    student.eval()


def _layout(kept: int, classes: int) -> np.dtype[Any]:
    if not 0 < kept <= classes <= _MOST_CLASSES:
        raise LogitsRefused(f"{kept} of {classes} classes cannot be kept; 1 to {classes} can")
    entry = np.dtype([("class", "<u2"), ("probability", "<f2")])
    return np.dtype([("seed", "<u4"), ("kept", entry, (kept,))])


def _said(teacher: nn.Module, seen: torch.Tensor, config: DistillationConfig) -> torch.Tensor:
    with torch.no_grad():
        return torch.softmax(_logits(teacher(seen)) / config.temperature, 1)


def _logits(answer: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    return answer if isinstance(answer, torch.Tensor) else answer[0]


def _batches(count: int, size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    yield from torch.randperm(count, generator=generator).split(size)
