"""What a compression cannot go on with ends it as failed, with the reason; what is done is kept.

When it has been mended, the job is retried and goes on behind the last finished trial.
"""

from __future__ import annotations

import errno
import re
import shutil
import tempfile
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from django.core.files.storage import FileSystemStorage
from django.db import OperationalError
from torch import nn

from orchestrator.compression import conversion
from orchestrator.compression.search import engine
from orchestrator.models import CompressionTrial, Job, JobStatus
from orchestrator.services import jobs
from orchestrator.services.mlflow_sync import log_release
from registry.models import Release
from tests.orchestrator import compression_world as world
from tests.orchestrator.compression_world import INPUTS, ordered, run, trained
from tests.orchestrator.mlflow_server import free_port
from tests.orchestrator.rollout_world import ROOMY, make_devices

pytestmark = pytest.mark.django_db(transaction=True)
FINISHED = 3


@pytest.fixture(autouse=True)
def task(sizes_task) -> None:
    make_devices(1, ROOMY)


class Odd(nn.Module):
    """Answers with eigenvalues, which no .tflite can hold."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvals(inputs.reshape(1, 8, 8)).real


def spoilt() -> nn.Module:
    network = nn.Linear(INPUTS, 4)
    nn.init.constant_(network.bias, float("nan"))
    return network


SAMPLES = np.zeros((2, INPUTS), np.float32)
BAD_NETWORKS = {
    "an operator without a counterpart": (
        lambda: nn.Sequential(nn.ReLU(), Odd()),
        SAMPLES,
        r"layer 1 \(Odd\), operator aten\.linalg_eig",
    ),
    "weights that are not finite": (spoilt, SAMPLES, "layer bias has weights that are not finite"),
    "no calibration": (lambda: nn.Linear(INPUTS, 4), SAMPLES[:0], "no calibration images"),
    "inputs of another shape": (
        lambda: nn.Linear(INPUTS, 4),
        SAMPLES[:, :9],
        r"does not take images of \(9,\)",
    ),
}


def convert_badly(job: Job, make: Callable[[], nn.Module], samples) -> Callable:
    """From the trial after the finished ones on, the real converter meets what is bad."""

    def convert(network: nn.Module, calibration, rule) -> bytes:
        if job.trials.count() < FINISHED:
            return world.convert(network, calibration, rule)
        return conversion.convert_int8(make(), samples)

    return convert


@pytest.mark.parametrize("case", BAD_NETWORKS)
def test_a_network_that_cannot_be_converted(monkeypatch, case) -> None:
    make, samples, reason = BAD_NETWORKS[case]
    job = ordered()
    with monkeypatch.context() as bad:
        bad.setattr(engine, "convert_int8", convert_badly(job, make, samples))
        _fails(run(job), reason)
    _goes_on(job)


def test_a_full_disk(monkeypatch) -> None:
    job = ordered()
    save = FileSystemStorage._save

    def full(storage: FileSystemStorage, name: str, content) -> str:
        if job.trials.count() == FINISHED:
            raise OSError(errno.ENOSPC, "No space left on device", name)
        return save(storage, name, content)

    with monkeypatch.context() as bad:
        bad.setattr(FileSystemStorage, "_save", full)
        _fails(run(job), "the disk is full.*No space left on device")
    _goes_on(job)


@pytest.mark.parametrize(
    "told",
    ["database or disk is full", 'could not extend file "base/1": No space left on device'],
)
def test_a_full_disk_under_the_database(monkeypatch, told) -> None:
    job = ordered()
    create = CompressionTrial.objects.create

    def full(**columns):
        if job.trials.count() == FINISHED:
            raise OperationalError(told)
        return create(**columns)

    with monkeypatch.context() as bad:
        bad.setattr(CompressionTrial.objects, "create", full)
        _fails(run(job), "the disk is full")
    _goes_on(job)


def test_a_full_temporary_folder(monkeypatch) -> None:
    """Converters write there, and end the whole process where they cannot."""
    job = ordered()
    with monkeypatch.context() as bad:
        network = nn.Linear(INPUTS, 4)
        bad.setattr(engine, "convert_int8", convert_badly(job, lambda: network, SAMPLES))
        bad.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=4096))
        _fails(run(job), f"the disk is full.*{tempfile.gettempdir()}")
    _goes_on(job)


def test_a_dead_mlflow_server(monkeypatch, settings) -> None:
    settings.MLFLOW_URL = f"http://127.0.0.1:{free_port()}"
    settings.NETWORK_TIMEOUT_S = 1
    job = ordered()
    with monkeypatch.context() as bad:
        bad.setattr("orchestrator.services.compression.log_release", log_release)
        job = run(job)
    assert job.status == JobStatus.FAILED
    assert "does not answer" in job.error and "retry" in job.error
    release, done = Release.objects.get(), list(trained)
    variants = set(release.variants.values_list("pk", flat=True))
    assert variants
    job = run(jobs.retry(job))
    assert job.status == JobStatus.SUCCEEDED, job.error
    assert (Release.objects.get(), trained) == (release, done)
    assert set(release.variants.values_list("pk", flat=True)) == variants


def _fails(job: Job, reason: str) -> None:
    assert (job.status, job.attempts) == (JobStatus.FAILED, 1)
    assert re.search(reason, job.error), job.error
    assert job.trials.count() == FINISHED
    assert not Release.objects.exists()


def _goes_on(job: Job) -> None:
    kept = list(job.trials.values_list("pk", flat=True))
    job = run(jobs.retry(job))
    assert job.status == JobStatus.SUCCEEDED, job.error
    assert list(job.trials.values_list("pk", flat=True))[:FINISHED] == kept
    assert Release.objects.exists()
