"""How DFT-Gaze comes about: a student learns from a teacher, then its adapters from a user.

With squares as the loss, learning from labels and from a teacher's answers at once is learning from
their weighted mean, so both steps are the training of any other network of the zoo.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from orchestrator.compression.datasets.samples import Samples
from orchestrator.compression.fitting import EpochHook
from orchestrator.compression.zoo.entry import ZooEntry
from orchestrator.compression.zoo.gaze import GazeNetwork
from orchestrator.compression.zoo.training import THREADS, fit, outputs

_NEXT = 1_000_003  # from a seed to that of the second step


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """The teacher's share of the target (a fraction), and the weight of its features beside it."""

    answers: float = 0.5
    features: float = 0.05


@dataclass(frozen=True, slots=True)
class PersonalConfig:
    """Adam over all of a user's images at once."""

    steps: int = 20
    learning_rate: float = 1e-3


class _WithTeachersFeatures(nn.Module):
    """The student's answer, beside its features as the teacher would have them."""

    def __init__(self, student: nn.Module, own: int, teachers: int, weight: float) -> None:
        super().__init__()
        self.student = student
        self.projection = nn.Linear(own, teachers)
        self.scale = weight**0.5

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        answer, features = self.student(inputs)
        return torch.cat([answer, self.scale * self.projection(features)], 1)


def distil(
    student: nn.Module,
    teacher: nn.Module,
    entry: ZooEntry,
    samples: Samples,
    seed: int,
    config: DistillationConfig,
    *,
    epochs: int | None = None,
    on_epoch: EpochHook = lambda share: None,
) -> None:
    """Train the student in place by the entry's recipe; the teacher is left as it is.

    Its features, each brought to a mean of 0 and a deviation of 1, are a second target, which a
    layer that is thrown away afterwards predicts from the student's (A. Romero et al., FitNets,
    2015).
    """
    answers, features = outputs(teacher, samples.inputs)
    told = (1 - config.answers) * samples.targets + config.answers * answers
    standard = (features - features.mean(0)) / (features.std(0) + 1e-6)
    targets = np.concatenate([told, config.features**0.5 * standard], 1).astype(np.float32)
    with torch.no_grad():
        own = student(torch.from_numpy(samples.inputs[:1]))[1].shape[1]
    torch.manual_seed(seed + _NEXT)
    pupil = _WithTeachersFeatures(student, own, features.shape[1], config.features)
    taught = replace(entry, goal=replace(entry.goal, loss=_SumOfSquares()))
    fit(pupil, taught, Samples(samples.inputs, targets), seed, epochs=epochs, on_epoch=on_epoch)


class _SumOfSquares(nn.Module):
    """Over the values of a sample, then the mean over samples: each value has its own weight."""

    def forward(self, answers: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return ((answers - targets) ** 2).sum(1).mean()


def personalised(network: GazeNetwork, own: Samples, config: PersonalConfig) -> GazeNetwork:
    """A copy whose adapters, final norm and head have learnt from one user's few images.

    Batch norms keep their statistics: those of five images would say little.
    """
    torch.set_num_threads(THREADS)
    personal = copy.deepcopy(network).eval()
    personal.requires_grad_(False)
    weights = [each.requires_grad_() for each in personal.tunable()]
    optimizer = torch.optim.Adam(weights, config.learning_rate)
    inputs, targets = torch.from_numpy(own.inputs), torch.from_numpy(own.targets)
    for _ in range(config.steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(personal(inputs)[0], targets).backward()
        optimizer.step()
    return personal
