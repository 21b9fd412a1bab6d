"""The job that trains a family: a release in the registry, whole, once, with or without MLflow."""

from __future__ import annotations

import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from orchestrator.gateways.code_version import code_commit
from orchestrator.models import Job, JobStatus
from orchestrator.services import jobs
from orchestrator.services.job_functions import JOB_FUNCTIONS
from orchestrator.services.mlflow_sync import LOG_RELEASE
from orchestrator.services.working import Worker
from registry.models import RegisteredModel, Release
from registry.services.networks import need_of
from tests.orchestrator.mlflow_server import free_port

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

FAMILY = {"model_name": "digits", "seed": 0, "epochs": 1, "variants": ["nano", "small"]}


@pytest.fixture(autouse=True)
def without_mlflow(settings, tmp_path) -> None:
    settings.MLFLOW_URL = f"http://127.0.0.1:{free_port()}"
    settings.NETWORK_TIMEOUT_S = 1
    settings.MEDIA_ROOT = tmp_path / "artifacts"


def train(payload: dict) -> Job:
    job = jobs.enqueue("train_family", payload)
    Worker(JOB_FUNCTIONS, threading.Event()).run_one(only=job.pk)
    job.refresh_from_db()
    return job


def test_it_registers_every_variant_with_what_it_needs() -> None:
    job = train(FAMILY)
    assert job.status == JobStatus.SUCCEEDED, job.error
    release = Release.objects.get(pk=job.result["release"])
    assert "handwritten digits" in release.data_source
    assert list(release.variants.values_list("name", flat=True)) == ["nano", "small"]
    for variant in release.variants.all():
        need = need_of(variant)
        metrics = {figure.metric.value for figure in need.figures}
        assert {"accuracy", "arena_bytes", "macs"} <= metrics
        assert need.flash_bytes == variant.artifact.size_bytes
        (sensor,) = need.sensors or ()
        assert (sensor.kind, sensor.shape) == ("camera", (8, 8, 1))
        assert variant.training["seed"] == 0
        assert variant.commit == code_commit()
        assert variant.training["fit_epochs"] == 1


def test_a_pruned_variant_names_its_parent() -> None:
    job = train({**FAMILY, "variants": ["large", "pruned"]})
    pruned = Release.objects.get(pk=job.result["release"]).variants.get(name="pruned")
    assert (pruned.parent.name, pruned.technique) == ("large", "structured pruning")


def test_without_mlflow_the_release_is_there_and_a_job_waits_to_log_it() -> None:
    job = train(FAMILY)
    assert (job.status, job.result["mlflow_versions"]) == (JobStatus.SUCCEEDED, 0)
    waiting = Job.objects.get(kind=LOG_RELEASE)
    assert waiting.status == JobStatus.QUEUED
    assert waiting.payload == {"release": job.result["release"]}


def test_a_job_that_was_stopped_half_way_goes_on_in_the_same_release() -> None:
    job = jobs.enqueue("train_family", FAMILY)
    stop = threading.Event()

    def watched(context, payload):
        report = context.report

        def stopping(progress: float, message: str) -> None:
            if Release.objects.filter(variants__name="nano").exists():
                stop.set()
            report(progress, message)

        context.report = stopping
        return JOB_FUNCTIONS["train_family"](context, payload)

    Worker({"train_family": watched}, stop).run_one()
    job.refresh_from_db()
    assert (job.status, job.attempts) == (JobStatus.QUEUED, 0)
    first = Release.objects.get().variants.get()
    Worker(JOB_FUNCTIONS, threading.Event()).run_one(only=job.pk)
    job.refresh_from_db()
    assert job.status == JobStatus.SUCCEEDED, job.error
    assert list(Release.objects.get().variants.values_list("name", flat=True)) == ["nano", "small"]
    assert Release.objects.get().variants.get(name="nano").pk == first.pk


def test_another_training_is_another_release() -> None:
    one, two = train(FAMILY), train(FAMILY)
    numbers = [Release.objects.get(pk=job.result["release"]).number for job in (one, two)]
    assert numbers == [1, 2]


def test_a_strange_variant_fails_with_the_known_ones_and_leaves_no_release() -> None:
    job = jobs.enqueue("train_family", {**FAMILY, "variants": ["huge"]})
    worker = Worker(JOB_FUNCTIONS, threading.Event())
    while worker.run_one():
        continue
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "no variant huge" in job.error
    assert not Release.objects.exists()


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("train", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_trains_here_and_says_what_came_of_it() -> None:
    said = command("digits", "--inline", "--epochs", "1", "--variant", "nano")
    assert "digits/1/nano" in said
    assert "accuracy 0." in said
    assert "MLflow was away" in said


def test_the_command_leaves_the_job_to_the_workers_on_request() -> None:
    said = command("digits", "--no-wait", "--seed", "7")
    job = Job.objects.get()
    assert said.strip() == f"job {job.pk} is enqueued"
    assert job.payload == {"model_name": "digits", "seed": 7}


def test_the_command_says_why_a_job_failed() -> None:
    with pytest.raises(CommandError, match="no variant huge"):
        command("digits", "--inline", "--variant", "huge")


def test_the_command_refuses_a_name_that_is_none() -> None:
    with pytest.raises(CommandError, match="is no name"):
        command("my digits")
    assert not Job.objects.exists()
    assert not RegisteredModel.objects.exists()
