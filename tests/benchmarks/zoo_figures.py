"""What each network of the zoo reaches: trained by its recipe, made int8, judged held out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch

from orchestrator.compression.conversion import convert_int8
from orchestrator.compression.datasets.eyes import angular_error_degrees, users_of
from orchestrator.compression.datasets.samples import Samples, Split
from orchestrator.compression.zoo import gaze
from orchestrator.compression.zoo.entry import ZooEntry, parameters
from orchestrator.compression.zoo.gaze_tuning import (
    DistillationConfig,
    PersonalConfig,
    distil,
    personalised,
)
from orchestrator.compression.zoo.training import fit, float_score, int8_score, outputs, trained
from registry.footprint.arena import predict_arena
from registry.formats.tflite import parse

SEEDS = tuple(range(20, 20 + int(os.environ.get("BENCH_ZOO_SEEDS", "3"))))
OWN_IMAGES = 5
TEACHER_EPOCHS = 6


@dataclass(frozen=True, slots=True)
class Figures:
    """One network under one seed."""

    name: str
    seed: int
    measure: str
    parameters: int
    float_score: float
    int8_score: float
    file_bytes: int
    arena_bytes: int | None
    training_s: float


def figures(data: Path, entry: ZooEntry, seed: int) -> Figures:
    """Trained by the entry's recipe alone."""
    split = entry.data.load(data, seed)
    began = time.process_time()
    network = trained(entry, split.train, seed)
    return of_network(network, entry, split, seed, time.process_time() - began)


def of_network(
    network: torch.nn.Module, entry: ZooEntry, split: Split, seed: int, training_s: float
) -> Figures:
    """Converted and judged."""
    model = convert_int8(network, split.calibration.inputs)
    return Figures(
        entry.name,
        seed,
        entry.goal.measure,
        parameters(network),
        float_score(network, entry, split.held_out),
        int8_score(model, entry, split.held_out),
        len(model),
        predict_arena(parse(model)).arena_bytes,
        training_s,
    )


def score_with(
    load: Callable[[Path | None, int], Split], data: Path, entry: ZooEntry, seed: int
) -> float:
    """The float score where `load` divides the data."""
    split = load(data, seed)
    return float_score(trained(entry, split.train, seed), entry, split.held_out)


@dataclass(frozen=True, slots=True)
class Gaze:
    """Mean angles in degrees on held-out users, before and after each sees five images of his."""

    seed: int
    teacher_degrees: float
    student_degrees: float
    before_degrees: float
    after_degrees: float
    users_worse: int
    users: int

    @property
    def lowered(self) -> float:
        """The share of the error that personal images took away."""
        return 1 - self.after_degrees / self.before_degrees


def gaze_figures(seed: int) -> tuple[Gaze, Figures]:
    """Teacher, student distilled from it, and the student made personal for each held-out user."""
    split = gaze.SYNTHETIC_EYES.load(None, seed)
    began = time.process_time()
    torch.manual_seed(seed)
    teacher, student = gaze.build_teacher(1.0), gaze.build(1.0)
    fit(teacher, gaze.ENTRY, split.train, seed, epochs=TEACHER_EPOCHS)
    distil(student, teacher, gaze.ENTRY, split.train, seed, DistillationConfig())
    training_s = time.process_time() - began
    pairs = [_before_and_after(student, user) for user in users_of(split.held_out)]
    found = Gaze(
        seed,
        _error(teacher, split.held_out),
        _error(student, split.held_out),
        fmean(before for before, _ in pairs),
        fmean(after for _, after in pairs),
        sum(after >= before for before, after in pairs),
        len(pairs),
    )
    return found, of_network(student, gaze.ENTRY, split, seed, training_s)


def _before_and_after(student: gaze.GazeNetwork, user: Samples) -> tuple[float, float]:
    own, rest = user.part(slice(0, OWN_IMAGES)), user.part(slice(OWN_IMAGES, None))
    return _error(student, rest), _error(personalised(student, own, PersonalConfig()), rest)


def _error(network: torch.nn.Module, samples: Samples) -> float:
    return angular_error_degrees(outputs(network, samples.inputs)[0], samples.targets)
