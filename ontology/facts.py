"""The vocabulary of matching: what a model needs, what a device offers, how the two compare.

Frozen values without behaviour that reaches outside. Sizes are bytes, rates are hertz, times are
milliseconds, accuracies are fractions of one. `None` means *not known*, never zero and never "any":
an absent fact must not become a fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class Answer(StrEnum):
    """The three values that a comparison can take."""

    FITS = "fits"
    DOES_NOT_FIT = "does_not_fit"
    UNKNOWN = "unknown"


class Constraint(StrEnum):
    """What is compared. The first six always; the last three on request."""

    FLASH = "flash"
    RAM = "ram"
    OPERATORS = "operators"
    DTYPES = "dtypes"
    SENSORS = "sensors"
    RUNTIME = "runtime"
    LATENCY = "latency"
    ENERGY = "energy"
    ACCURACY = "accuracy"


class Status(StrEnum):
    """How a figure was come by; a measured one outranks a derived one, that a published one."""

    MEASURED = "measured"
    DERIVED = "derived"
    PUBLISHED = "published"


class Metric(StrEnum):
    """What a Measurement is a measurement of; the unit is part of the name."""

    ARENA_BYTES = "arena_bytes"
    FLASH_BYTES = "flash_bytes"
    TRAINING_BYTES = "training_bytes"
    LATENCY_MS = "latency_ms"
    ENERGY_MJ = "energy_mj"
    ACCURACY = "accuracy"
    INSTRUCTIONS = "instructions"
    MACS = "macs"
    PARAMETERS = "parameters"
    TOP5_ACCURACY = "top5_accuracy"
    AUC = "auc"
    SCORE = "score"
    ANGULAR_ERROR_DEG = "angular_error_deg"
    PSNR_DB = "psnr_db"
    FRAME_RATE_HZ = "frame_rate_hz"
    TOKENS_PER_S = "tokens_per_s"
    FIRST_TOKEN_MS = "first_token_ms"
    R2 = "r2"


QUALITIES = (Metric.ACCURACY, Metric.AUC, Metric.R2)
"""By what networks of one task are compared, each of one of these: more is better, 1 is perfect."""


@dataclass(frozen=True, slots=True)
class RuntimeId:
    """An interpreter as far as footprints depend on it.

    Empty `version` or `kernels` in a Measurement's key means that the figure does not depend on it.
    """

    name: str
    version: str = ""
    kernels: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One Measurement as matching sees it.

    `error` is relative, 0.25 for a quarter, and None where nobody says it. `dataset` is what an
    accuracy was reached on, `conditions` what else the figure holds under, such as a clock: they
    tell figures apart that may differ.
    """

    metric: Metric
    value: float
    status: Status
    source: str = ""
    runtime: RuntimeId | None = None
    board: str | None = None
    dataset: str = ""
    conditions: str = ""
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a core works off instructions that were predicted, and what its board draws then.

    Errors are relative; `conditions` are those of the instructions that it was found for.
    """

    instruction_ns: float
    error: float
    conditions: str
    source: str
    power_mw: float | None = None
    power_error: float = 0.0


@dataclass(frozen=True, slots=True)
class SensorNeed:
    """An input that a model reads: a kind of sensor, at least so fast, of that shape."""

    kind: str
    rate_hz: float | None = None
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor on a device: its kind, its highest rate, the shape of one sample."""

    kind: str
    max_rate_hz: float | None = None
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What one variant needs. `sensors=()` says "none needed"; `sensors=None` says "not known"."""

    variant: str
    flash_bytes: int | None = None
    figures: tuple[Figure, ...] = ()
    operators: Mapping[str, int] | None = None
    dtypes: frozenset[str] | None = None
    sensors: tuple[SensorNeed, ...] | None = None
    runtimes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one capability profile offers.

    `assumed` marks a bare board that was judged with a reserve instead of a firmware's declaration.
    """

    profile: str
    slot_bytes: int | None = None
    arena_budget_bytes: int | None = None
    runtime: RuntimeId | None = None
    operators: Mapping[str, int] | None = None
    dtypes: frozenset[str] | None = None
    sensors: tuple[Sensor, ...] | None = None
    board: str | None = None
    assumed: bool = False
    pace: Pace | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The constraints on request: what the asker wants to be held.

    `accuracy` is the least of `measure`, for networks whose task is judged by another of
    QUALITIES.
    """

    latency_ms: float | None = None
    energy_mj: float | None = None
    accuracy: float | None = None
    measure: Metric = Metric.ACCURACY


Quantity: TypeAlias = int | float | str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Reason:
    """One constraint's outcome. `holds=None` is unknown; `headroom` is None for sets.

    `basis` is the figure that it rests on, where it rests on one.
    """

    constraint: Constraint
    need: Quantity
    have: Quantity
    unit: str
    headroom: float | None
    holds: bool | None
    basis: Figure | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one variant on one profile, with one reason a constraint."""

    variant: str
    profile: str
    answer: Answer
    reasons: tuple[Reason, ...] = field(default=())
    assumed: bool = False
