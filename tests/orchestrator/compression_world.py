"""A task whose networks are made in no time, for tests of the search and its job.

Its files are real int8 files of one dense layer; more outputs are larger and more accurate.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

from ontology.facts import Metric
from orchestrator.compression.evaluation import Floats
from orchestrator.compression.ranges import RangeRule
from orchestrator.compression.search import catalogue, engine
from orchestrator.compression.search.catalogue import TaskEntry
from orchestrator.compression.search.choices import Choice, OneOf, Space, Whole
from orchestrator.compression.search.task import OnEpoch, Trained
from orchestrator.models import Job
from orchestrator.services import jobs
from orchestrator.services.compression_orders import Order, order_compression
from orchestrator.services.job_functions import JOB_FUNCTIONS
from orchestrator.services.working import Worker
from registry.footprint.description import describe
from registry.models import BoardType, Runtime
from tests.orchestrator.small_networks import small_network

INPUTS = 64
WIDEST = 60
TASK = "sizes"
trained: list[int] = []
"""The widths that were trained since `use_task`, in order."""


class Dense(nn.Module):
    """As many outputs as its width."""

    def __init__(self, width: int, seed: int) -> None:
        super().__init__()
        self.width, self.seed = width, seed

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class SizesTask:
    measure = Metric.ACCURACY
    space: Space = {"width": Whole(2, WIDEST), "origin": OneOf(("scratch", "pruned"))}

    def starts(self) -> Sequence[Choice]:
        return [{"width": width, "origin": "scratch"} for width in (10, WIDEST)]

    def smallest(self) -> Choice:
        return {"width": 2, "origin": "scratch"}

    def prepare(self, seed: int) -> SizesBench:
        return SizesBench()


class SizesBench:
    calibration: Floats = np.zeros((1, INPUTS), np.float32)

    def ranges(self, choice: Choice) -> RangeRule:
        return RangeRule.NEAREST

    def untrained(self, choice: Choice) -> nn.Module:
        return Dense(int(choice["width"]), seed=0)

    def trained(self, choice: Choice, seed: int, on_epoch: OnEpoch) -> Trained:
        on_epoch(0.5)
        trained.append(int(choice["width"]))
        return Trained(Dense(int(choice["width"]), seed), 0.5, "", {"network_seed": seed})

    def train_further(
        self, network: nn.Module, choice: Choice, seed: int, on_epoch: OnEpoch
    ) -> None:
        raise AssertionError("by calibration nothing is lost")

    def score(self, model: bytes) -> float:
        return accuracy_of(describe(model).outputs[0].shape[-1])


def accuracy_of(width: int) -> float:
    """More outputs are better, always by less."""
    return 1 - 1 / (1 + width)


def convert(network: nn.Module, calibration: Floats, rule: RangeRule) -> bytes:
    """In place of the converter, which takes seconds."""
    assert isinstance(network, Dense)
    return small_network(INPUTS, network.width, network.seed)


def use_task(monkeypatch: pytest.MonkeyPatch, measure: Metric = Metric.ACCURACY) -> None:
    """Put the task into the catalogue, and nothing behind MLflow's door."""
    place = f"{__name__}:SizesTask"
    entry = TaskEntry(TASK, "sizes, for tests", "made up", (), place, measure=measure)
    monkeypatch.setitem(catalogue.TASKS, TASK, entry)
    monkeypatch.setattr(SizesTask, "measure", measure)
    monkeypatch.setattr(engine, "convert_int8", convert)
    monkeypatch.setattr(
        "orchestrator.services.compression.log_release",
        lambda release, on_progress: release.variants.count(),
    )
    trained.clear()


def bare_board() -> BoardType:
    """A board of the catalogue without a device, and a runtime whose operators are known."""
    Runtime.objects.create(
        name="tflite-micro",
        version="known",
        kernels="reference",
        operators={"FULLY_CONNECTED": 12},
        dtypes=["int8", "int32"],
    )
    return BoardType.objects.create(
        slug="bare", name="Bare", vendor="x", mcu="m4", core="cortex-m4f", source="-",
        ram_bytes=20_000, flash_bytes=64_000,
    )  # fmt: skip


def ordered(**order) -> Job:
    """A job for every device, of 8 trials where nothing else is said."""
    said = {"model": TASK, "task": TASK, "fleet": "all", "trials": 8, **order}
    return order_compression(Order(**said))


def run(job: Job) -> Job:
    """Have a worker run it once."""
    Worker(JOB_FUNCTIONS, threading.Event()).run_one(only=job.pk)
    job.refresh_from_db()
    return job


__all__ = ["TASK", "accuracy_of", "convert", "jobs", "ordered", "run", "trained", "use_task"]
