"""What came of one choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ontology.facts import Metric, Need, SensorNeed
from orchestrator.compression.search.choices import Choice
from orchestrator.policy.footprints import Footprint, quality

if TYPE_CHECKING:  # what is finished is read without torch
    from orchestrator.compression.methods.int8 import Int8File
    from orchestrator.compression.search.task import Trained


TRAINED_FOR_INT8 = "quantization-aware training"
CALIBRATED_SCORE, RETRAINED_SCORE = "calibrated_score", "retrained_score"
"""In a trial's params, where calibration alone lost too much: what both files reached."""


class TrialState(StrEnum):
    """`measured`: its footprint is known and it was not trained, as it would serve nobody."""

    MEASURED = "measured"
    TRAINED = "trained"


@dataclass(frozen=True, slots=True)
class Trial:
    """One choice with what it needs; `data` is the int8 file of a trained one.

    Scores are by the task's `measure`: the file's own on held-out data, and its network's before
    quantization.
    """

    number: int
    choice: Choice
    state: TrialState
    footprint: Footprint
    seconds: float
    measure: Metric = Metric.ACCURACY
    score: float | None = None
    float_score: float | None = None
    technique: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    data: bytes = b""

    @property
    def name(self) -> str:
        """As a variant of a release would be called."""
        return f"t{self.number:03d}"

    def need(self, sensors: tuple[SensorNeed, ...] | None) -> Need:
        """In the vocabulary of matching, under the trial's own name."""
        known = None if self.score is None else quality(self.measure, self.score)
        return self.footprint.need(self.name, sensors, known)


def technique_of(made: Trained, file: Int8File) -> str:
    """How the file that was kept came to be, as its variant says it."""
    steps = (made.technique, TRAINED_FOR_INT8 if file.is_trained else "")
    return ", ".join(step for step in steps if step)


def params_of(file: Int8File) -> dict[str, Any]:
    """Where calibration lost too much: what each of the two files reached."""
    if file.trained is None:
        return {}
    return {CALIBRATED_SCORE: file.calibrated, RETRAINED_SCORE: file.trained}
