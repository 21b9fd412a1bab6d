"""Distillation: a student also learns what a larger network says, beside what is right.

Of classes, how sure it is of each: G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a
Neural Network" (2015), section 2: the teacher's and the student's logits are softened by one
temperature T, and their divergence counts T * T times, so that its gradients keep their size beside
those of the labels. Of values, these: L. J. Ba, R. Caruana, "Do Deep Nets Really Need to be Deep?"
(2014), section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class SoftTargets:
    """`share` is what the teacher counts for; the labels count for the rest."""

    teacher: nn.Module
    temperature: float = 3.0
    share: float = 0.7

    def blend(
        self, hard_loss: torch.Tensor, inputs: torch.Tensor, logits: torch.Tensor
    ) -> torch.Tensor:
        """The loss of a batch: `hard_loss` is that against its labels, `logits` are (n, classes).

        The teacher sees the same inputs, moved and noisy as they are.
        """
        with torch.no_grad():
            wanted = functional.log_softmax(self.teacher(inputs)[0] / self.temperature, 1)
        said = functional.log_softmax(logits / self.temperature, 1)
        soft = functional.kl_div(said, wanted, reduction="batchmean", log_target=True)
        return (1 - self.share) * hard_loss + self.share * self.temperature**2 * soft


@dataclass(frozen=True, slots=True)
class TaughtValues:
    """For answers that are values, not classes; `share` is what the teacher counts for."""

    teacher: nn.Module
    share: float = 0.5

    def blend(
        self, hard_loss: torch.Tensor, inputs: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """The loss of a batch: `hard_loss` is that against what is right, `values` are (n, k)."""
        with torch.no_grad():
            wanted = self.teacher(inputs)[0]
        soft = functional.mse_loss(values, wanted)
        return (1 - self.share) * hard_loss + self.share * soft
