"""What a task has to offer so that its networks can be searched for a fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import nn

from ontology.facts import Metric
from orchestrator.compression.evaluation import Floats
from orchestrator.compression.ranges import RangeRule
from orchestrator.compression.search.choices import Choice, Space

_FURTHER = 2

OnEpoch = Callable[[float], None]
"""Called with the share of a training that is done; may raise to stop it."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A network that has learnt, its score before quantization, and how it was made."""

    network: nn.Module
    float_score: float
    technique: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


def further_epochs(epochs: int) -> int:
    """How long a network that was trained so long is trained once more, for int8."""
    return max(1, epochs // _FURTHER)


class Workbench(Protocol):
    """One task's data under one seed, and what can be made with it."""

    @property
    def calibration(self) -> Floats:
        """Inputs that int8 ranges are fitted to, (n, ...)."""

    def ranges(self, choice: Choice) -> RangeRule:
        """Which ranges of those inputs int8 steps are spread over."""

    def untrained(self, choice: Choice) -> nn.Module:
        """The network of a choice with any weights, the same each time.

        It is as large as the trained one will be, to within a few bytes of its file.
        """

    def trained(self, choice: Choice, seed: int, on_epoch: OnEpoch) -> Trained:
        """The network of a choice, trained; the same seed gives the same weights again."""

    def train_further(
        self, network: nn.Module, choice: Choice, seed: int, on_epoch: OnEpoch
    ) -> None:
        """Train in place what `trained` gave, or a copy of it, from the weights that it has.

        For a network whose layers round as its int8 file does, which wants to learn to live with
        that; shorter than the first training.
        """

    def score(self, model: bytes) -> float:
        """How well the int8 file itself does on inputs that no weight was fitted to."""


class SearchTask(Protocol):
    """A task: its space, choices known to be good, and the smallest of all.

    `measure` is what its scores are: one of QUALITIES, where more is better.
    """

    space: Space
    measure: Metric

    def starts(self) -> Sequence[Choice]:
        """Choices to try first, in this order: a start's place is its seed."""

    def smallest(self) -> Choice:
        """The choice that needs least of everything: what it does not fit, none does."""

    def prepare(self, seed: int) -> Workbench:
        """Load and divide the data."""
