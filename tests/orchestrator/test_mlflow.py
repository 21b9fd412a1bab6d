"""MLflow: what a real server holds of releases and of learning, and what its absence costs."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import httpx
import numpy as np
import pytest
from django.utils import timezone

from orchestrator.gateways.mlflow import MlflowRefused, MlflowTracker, MlflowUnreachable
from orchestrator.gateways.mlflow_registry import MlflowRegistry
from orchestrator.models import Job, JobStatus, LearningStatus, LearningTask, Rollout
from orchestrator.services import jobs, mlflow_watch
from orchestrator.services.job_functions import JOB_FUNCTIONS
from orchestrator.services.learning import LOG_JOB
from orchestrator.services.mlflow_sync import LOG_RELEASE
from orchestrator.services.working import Worker
from registry.models import GraphChange, RegisteredModel, Release, SubjectKind, Variant
from registry.services.networks import open_release, register_variant
from tests.orchestrator.members import member
from tests.orchestrator.mlflow_server import MlflowServer, free_port
from tests.orchestrator.rollout_world import make_devices
from tests.orchestrator.small_networks import small_network

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def server(mlflow_server: MlflowServer) -> MlflowServer:
    return mlflow_server


@pytest.fixture(autouse=True)
def addresses(settings, server: MlflowServer, tmp_path) -> None:
    settings.MLFLOW_URL = server.url
    settings.MEDIA_ROOT = tmp_path / "artifacts"
    settings.NETWORK_TIMEOUT_S = 20


@pytest.fixture
def release(request) -> Release:
    """Two variants of a model that is this test's own, the second made of the first."""
    opened = open_release(
        f"digits-{request.node.name[:60]}", task="digits", data_source="optdigits"
    )
    large = register_variant(opened, "large", small_network(64, 10), sensors=[], accuracy=0.99)
    register_variant(
        opened,
        "pruned",
        small_network(32, 10),
        sensors=[],
        accuracy=0.97,
        parent=large,
        technique="structured pruning",
    )
    Variant.objects.update(training={"epochs": 30, "seed": 0})
    return opened


def work() -> None:
    worker = Worker(JOB_FUNCTIONS, threading.Event())
    while worker.run_one():
        continue


def log(release: Release) -> None:
    job = jobs.enqueue(LOG_RELEASE, {"release": release.pk})
    work()
    job.refresh_from_db()
    assert job.status == JobStatus.SUCCEEDED, job.error
    release.refresh_from_db()


def client(server: MlflowServer):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=server.url, registry_uri=server.url)


def test_a_release_is_a_run_with_a_run_below_for_each_variant(release, server) -> None:
    log(release)
    mlflow = client(server)
    parent = mlflow.get_run(release.mlflow_run_id)
    assert parent.data.params["data"] == "optdigits"
    for variant in release.variants.all():
        run = mlflow.get_run(variant.mlflow_run_id)
        assert run.data.tags["mlflow.parentRunId"] == release.mlflow_run_id
        assert run.info.status == "FINISHED"
        assert run.data.params["epochs"] == "30"
        assert {"accuracy", "flash_bytes", "macs"} <= set(run.data.metrics)
        assert [name for name in run.data.metrics if name.startswith("arena_bytes")]
    pruned = mlflow.get_run(release.variants.get(name="pruned").mlflow_run_id)
    assert (pruned.data.params["parent"], pruned.data.params["how"]) == (
        "large",
        "structured pruning",
    )


def test_a_variant_is_a_model_version_that_holds_its_bytes(release, server, tmp_path) -> None:
    log(release)
    mlflow = client(server)
    for variant in release.variants.all():
        version = mlflow.get_model_version(release.model.name, variant.mlflow_version)
        assert version.run_id == variant.mlflow_run_id
        told = {
            "variant": variant.name,
            "digest": variant.artifact_id,
            "release": f"{release.model.name}/{release.number}",
            "technique": variant.technique or "none",
            "flash_bytes": str(variant.delivered.size_bytes),
        }
        assert told.items() <= version.tags.items()
        arenas = [name for name in version.tags if name.startswith("arena_bytes")]
        assert arenas and all(int(version.tags[name]) > 0 for name in arenas)
        by_alias = mlflow.get_model_version_by_alias(release.model.name, variant.name)
        assert by_alias.version == variant.mlflow_version
        folder = mlflow.download_artifacts(version.run_id, "model", str(tmp_path))
        with variant.artifact.file.open("rb") as stored:
            assert (tmp_path / "model" / f"{variant.name}.tflite").read_bytes() == stored.read()
        assert (tmp_path / "model" / "description.json").exists(), folder


def test_a_run_tells_what_the_network_takes_and_gives_and_where_it_comes_from(
    release, server
) -> None:
    from mlflow.models import get_model_info

    Variant.objects.update(training={"epochs": 30, "seed": 7, "commit": "0f" * 20})
    log(release)
    variant = release.variants.get(name="large")
    # The fluent client finds the server by this; `log` has set it for the process.
    info = get_model_info(f"runs:/{variant.mlflow_run_id}/model")
    said = {"inputs": info.signature.inputs, "outputs": info.signature.outputs}
    for side, schema in said.items():
        assert [(spec.type.name, list(spec.shape)) for spec in schema] == [
            (tensor["dtype"].lower(), tensor["shape"]) for tensor in variant.description[side]
        ]
    assert list(info.flavors) == ["tflite"]
    run = client(server).get_run(variant.mlflow_run_id)
    assert run.data.tags["mlflow.source.git.commit"] == "0f" * 20
    assert (run.data.params["seed"], run.data.params["data"]) == ("7", "optdigits")


def follow() -> Job:
    """What the scheduler has a worker do when the interval is over."""
    mlflow_watch.tick(timezone.now() + timedelta(days=1))
    work()
    job = Job.objects.get(kind=mlflow_watch.FOLLOW)
    assert job.status == JobStatus.SUCCEEDED, job.error
    return job


def test_what_nobody_logged_is_logged_and_alias_and_tags_follow_its_title(release, server) -> None:
    name = release.model.name
    RegisteredModel.objects.filter(name=name).update(champion=release)
    result = follow().result
    assert (result["releases_logged"], result["models"], result["problems"]) == (1, 1, [])
    mlflow = client(server)
    large = release.variants.get(name="large")
    assert mlflow.get_model_version_by_alias(name, "champion").version == large.mlflow_version
    tagged = mlflow.search_model_versions(f"name = '{name}' and tags.champion = 'true'")
    assert {row.version for row in tagged} == {
        variant.mlflow_version for variant in release.variants.all()
    }
    RegisteredModel.objects.filter(name=name).update(champion=None)
    follow()
    assert "champion" not in mlflow.get_registered_model(name).aliases
    assert not mlflow.search_model_versions(f"name = '{name}' and tags.champion = 'true'")


def test_an_alias_that_is_moved_in_mlflow_proposes_a_rollout(release, server) -> None:
    make_devices(1)
    follow()
    mlflow, name = client(server), release.model.name
    pruned = release.variants.get(name="pruned")
    mlflow.set_registered_model_alias(name, "champion", pruned.mlflow_version)
    for _ in range(2):
        assert follow().result["problems"] == []
    draft = Rollout.objects.get()
    assert (draft.release, draft.status, draft.needs_approval) == (release, "draft", True)
    run = pruned.mlflow_run_id
    stray = mlflow.create_model_version(name, f"runs:/{run}/model", run_id=run).version
    mlflow.set_registered_model_alias(name, "champion", stray)
    [problem] = follow().result["problems"]
    assert f"version {stray}, which is not known here" in problem
    assert Rollout.objects.get() == draft


def test_a_model_that_was_taken_out_of_mlflow_is_reported(release, server) -> None:
    log(release)
    mlflow = client(server)
    mlflow.delete_registered_model(release.model.name)
    assert follow().result["problems"] == [f"MLflow has no model {release.model.name} any more"]


def test_the_registry_knows_the_runs_and_the_graph_will(release) -> None:
    GraphChange.objects.all().delete()
    log(release)
    assert release.mlflow_run_id
    versions = set(release.variants.values_list("mlflow_version", flat=True))
    assert len(versions) == 2 and "" not in versions
    marked = set(GraphChange.objects.values_list("kind", flat=True))
    assert {SubjectKind.RELEASE, SubjectKind.VARIANT} <= marked


def test_telling_it_again_adds_nothing(release, server) -> None:
    log(release)
    first = dict(release.variants.values_list("name", "mlflow_version"))
    # As after a kill between MLflow's answer and our own row.
    Variant.objects.update(mlflow_version="", mlflow_run_id="")
    Release.objects.update(mlflow_run_id="")
    log(release)
    assert dict(release.variants.values_list("name", "mlflow_version")) == first
    mlflow = client(server)
    experiment = mlflow.get_experiment_by_name(release.model.name)
    assert len(mlflow.search_runs([experiment.experiment_id])) == 3


def task(variant: Variant, device: str, **fields) -> LearningTask:
    return LearningTask.objects.create(
        device=member(device),
        variant=variant,
        round=1,
        parameters={"learning_rate": 0.05, "samples": 300},
        **fields,
    )


def layer(value: float) -> dict:
    return {
        "weights": np.full((17, 10), value, "<f4").tobytes(),
        "weights_shape": [17, 10],
        "status": LearningStatus.FINISHED,
    }


def test_what_devices_learnt_is_one_run_below_the_variants(release, server, tmp_path) -> None:
    log(release)
    variant = release.variants.get(name="large")
    answers = [
        task(variant, "a", samples=100, accuracy_before=0.2, accuracy_after=0.8, **layer(1.0)),
        task(variant, "b", samples=300, accuracy_before=0.4, accuracy_after=0.9, **layer(5.0)),
        task(variant, "c", status=LearningStatus.REFUSED, samples=0),
    ]
    job = jobs.enqueue(LOG_JOB, {"tasks": [str(answer.pk) for answer in answers]})
    work()
    job.refresh_from_db()
    assert job.status == JobStatus.SUCCEEDED, job.error
    run = client(server).get_run(job.result[0])
    assert run.data.tags["mlflow.parentRunId"] == variant.mlflow_run_id
    assert run.data.metrics["accuracy_before"] == pytest.approx(0.35)
    assert run.data.metrics["accuracy_after"] == pytest.approx(0.875)
    assert run.data.metrics["devices"] == 3
    assert run.data.metrics["devices_finished"] == 2
    assert run.data.metrics["samples"] == 400
    client(server).download_artifacts(run.info.run_id, "learning", str(tmp_path))
    with np.load(tmp_path / "learning" / "last_layer.npz") as kept:
        assert np.allclose(kept["layer"], 4.0)
        assert (int(kept["devices"]), int(kept["samples"])) == (2, 400)
    assert set(LearningTask.objects.values_list("mlflow_run_id", flat=True)) == {run.info.run_id}


def test_a_server_that_is_away_delays_the_job_and_costs_no_attempt(release, settings) -> None:
    settings.MLFLOW_URL = f"http://127.0.0.1:{free_port()}"
    settings.NETWORK_TIMEOUT_S = 1
    job = jobs.enqueue(LOG_RELEASE, {"release": release.pk})
    began = time.monotonic()
    work()
    assert time.monotonic() - began < 30
    job.refresh_from_db()
    assert (job.status, job.attempts) == (JobStatus.QUEUED, 0)
    assert "does not answer" in job.message
    assert job.ready_at > timezone.now()


def test_it_is_logged_when_the_server_is_back(release, server, settings) -> None:
    settings.MLFLOW_URL = f"http://127.0.0.1:{free_port()}"
    settings.NETWORK_TIMEOUT_S = 1
    job = jobs.enqueue(LOG_RELEASE, {"release": release.pk})
    work()
    settings.MLFLOW_URL, settings.NETWORK_TIMEOUT_S = server.url, 20
    Job.objects.filter(pk=job.pk).update(ready_at=timezone.now() - timedelta(seconds=1))
    work()
    job.refresh_from_db()
    assert (job.status, job.result) == (JobStatus.SUCCEEDED, 2)


def test_a_refusal_is_no_absence(server) -> None:
    registry = MlflowRegistry(server.url, 20)
    with pytest.raises(MlflowRefused):
        registry.set_alias("no-such-model", "any", "1")


def test_an_absent_server_is_told_apart_and_soon() -> None:
    with pytest.raises(MlflowUnreachable):
        MlflowTracker(f"http://127.0.0.1:{free_port()}", 1).find_run("x", {"a": "b"})


def test_the_server_is_the_one_that_was_asked(server) -> None:
    assert httpx.get(f"{server.url}/version").text.startswith("3.17")
