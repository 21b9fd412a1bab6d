"""What a network is trained for, and how well it does: a score where 1 is perfect, more is better.

A score reads answers as arrays, so that a network and the int8 file made of it are judged by one
function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import r2_score, roc_auc_score
from torch import nn

from orchestrator.compression.datasets.samples import Floats, Samples


@dataclass(frozen=True, slots=True)
class Goal:
    """`loss` takes (answers, targets); `score` takes answers and the samples that they are to."""

    measure: str
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    score: Callable[[Floats, Samples], float]


def _accuracy(answers: Floats, samples: Samples) -> float:
    return float((answers.argmax(1) == samples.targets).mean())


def _r_squared(answers: Floats, samples: Samples) -> float:
    return float(r2_score(samples.targets, answers))


def reconstruction_errors(answers: Floats, samples: Samples) -> Floats:
    """The mean squared error of each input's reconstruction, (n,)."""
    wanted = samples.inputs.reshape(len(samples), -1)
    return np.asarray(((answers.reshape(len(samples), -1) - wanted) ** 2).mean(1), np.float32)


def _anomalies_found(answers: Floats, samples: Samples) -> float:
    return float(roc_auc_score(samples.targets, reconstruction_errors(answers, samples)))


CLASSIFY = Goal("accuracy", nn.CrossEntropyLoss(label_smoothing=0.1), _accuracy)
"""The share of samples whose largest logit is their label's."""

REGRESS = Goal("R2", nn.MSELoss(), _r_squared)
"""The share of the targets' variance that is explained; below 0 is worse than their mean."""

FIND_ANOMALIES = Goal("AUC", nn.MSELoss(), _anomalies_found)
"""The chance that an anomaly (target 1) is reconstructed worse than a normal sample (0).

To train, targets are the inputs themselves.
"""
