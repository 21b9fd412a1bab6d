"""What a compression leaves behind: in MLflow for a stranger, and as the origin of what runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ai_edge_litert.interpreter import Interpreter
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from ontology.store import MemoryStore
from orchestrator.gateways.code_version import code_commit
from orchestrator.models import Job, JobStatus
from orchestrator.policy.footprints import YARDSTICK
from orchestrator.services.compression_trials import variant_name
from orchestrator.services.mlflow_sync import log_release
from registry.models import Device, Release
from registry.services.graph_sync import drain
from tests.orchestrator import compression_world as world
from tests.orchestrator.rollout_world import ROOMY, SNUG, make_devices
from tests.registry.asking import answers, device

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SEED = 3


@pytest.fixture
def mlflow(mlflow_server, monkeypatch, settings, sizes_task):
    """MLflow's own client, and a server that compressions are told to."""
    from mlflow.tracking import MlflowClient

    settings.MLFLOW_URL, settings.NETWORK_TIMEOUT_S = mlflow_server.url, 20
    monkeypatch.setattr("orchestrator.services.compression.log_release", log_release)
    return MlflowClient(tracking_uri=mlflow_server.url, registry_uri=mlflow_server.url)


@pytest.fixture
def job(mlflow, request) -> Job:
    """Of a model that is this test's own: the server is for all tests."""
    for size in (ROOMY, SNUG):
        make_devices(1, size)
    job = world.run(world.ordered(model=request.node.name, seed=SEED))
    assert job.status == JobStatus.SUCCEEDED, job.error
    return job


def test_a_stranger_finds_all_of_it_in_mlflow(mlflow, job, tmp_path) -> None:
    from mlflow.models import get_model_info

    experiment = mlflow.get_experiment_by_name(job.payload["model"]).experiment_id
    runs = mlflow.search_runs([experiment])
    [parent] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.data.params["task"] == "sizes, for tests"
    below = [run for run in runs if run is not parent]
    trials = {variant_name(row): row for row in job.trials.all()}
    assert len(below) == job.result["variants"] > 1
    for run in below:
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        trial = trials[run.info.run_name]
        assert (run.data.params["seed"], run.data.params["trial"]) == (str(SEED), str(trial.number))
        assert run.data.metrics["accuracy"] == pytest.approx(trial.score)
        assert run.data.metrics["float_accuracy"] == trial.float_score
        latency = trial.footprint["latency_ms"][YARDSTICK.slug]
        assert run.data.metrics["latency_ms/yardstick"] == pytest.approx(latency)
        for kernels, size in trial.footprint["arena_bytes"].items():
            assert run.data.metrics[f"arena_bytes_{kernels}"] == size
        folder = Path(mlflow.download_artifacts(run.info.run_id, "model", str(tmp_path)))
        file = folder / f"{run.info.run_name}.tflite"
        [version] = mlflow.search_model_versions(f"run_id = '{run.info.run_id}'")
        assert version.tags["digest"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert version.tags["technique"] == "none"
        assert int(version.tags["flash_bytes"]) == file.stat().st_size
        signature = get_model_info(f"models:/{version.name}/{version.version}").signature
        network = Interpreter(model_content=file.read_bytes())
        for schema, tensors in (
            (signature.inputs, network.get_input_details()),
            (signature.outputs, network.get_output_details()),
        ):
            assert [(spec.type, spec.shape) for spec in schema] == [
                (tensor["dtype"], tuple(tensor["shape"])) for tensor in tensors
            ]


def test_a_device_leads_to_commit_data_and_seed(mlflow, job) -> None:
    release = Release.objects.get(pk=job.result["release"])
    variant = release.variants.first()
    owner = Device.objects.first()
    owner.installed = variant
    owner.save()
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"))
    _by_rest(client, owner, release)
    page = client.get(reverse("admin:registry_device_change", args=[owner.pk])).content.decode()
    for told in (code_commit(), f"Seed: {SEED}", "Data: made up", variant.mlflow_run_id):
        assert told in page
    store = MemoryStore()
    drain(store)
    [row] = answers(store, "origin", device=device(owner.device_id))
    assert (row["name"], row["releaseName"]) == (str(variant), str(release))
    assert (row["run"], row["releaseRun"]) == (variant.mlflow_run_id, release.mlflow_run_id)
    assert (row["commit"], row["data"], row["seed"]) == (code_commit(), "made up", SEED)


def _by_rest(client: Client, owner: Device, release: Release) -> None:
    def get(path: str) -> dict:
        return client.get(f"/api/v1/{path}/").json()

    variant = get(f"variants/{get(f'devices/{owner.device_id}')['installed']['id']}")
    assert (variant["commit"], variant["seed"]) == (code_commit(), SEED)
    assert variant["data_source"] == "made up"
    assert variant["mlflow_run_id"] and variant["mlflow_version"]
    assert get(f"releases/{variant['release_id']}")["mlflow_run_id"] == release.mlflow_run_id
