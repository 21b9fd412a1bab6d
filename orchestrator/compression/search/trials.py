"""What came of one choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ontology.facts import Need, SensorNeed
from orchestrator.compression.search.choices import Choice
from orchestrator.policy.footprints import Footprint


class TrialState(StrEnum):
    """`measured`: its footprint is known and it was not trained, as it would serve nobody."""

    MEASURED = "measured"
    TRAINED = "trained"


@dataclass(frozen=True, slots=True)
class Trial:
    """One choice with what it needs; `data` is the int8 file of a trained one.

    Accuracies are fractions: the file's own on held-out data, and its network's before
    quantization.
    """

    number: int
    choice: Choice
    state: TrialState
    footprint: Footprint
    seconds: float
    accuracy: float | None = None
    float_accuracy: float | None = None
    technique: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    data: bytes = b""

    @property
    def name(self) -> str:
        """As a variant of a release would be called."""
        return f"t{self.number:03d}"

    def need(self, sensors: tuple[SensorNeed, ...] | None) -> Need:
        """In the vocabulary of matching, under the trial's own name."""
        return self.footprint.need(self.name, sensors, self.accuracy)
