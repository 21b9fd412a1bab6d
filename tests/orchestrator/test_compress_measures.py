"""Whatever a task is judged by: networks are chosen by that, and it is called by its name."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from ontology.facts import Metric
from orchestrator.compression.search.zoo_task import ZooTask
from orchestrator.models import Job, JobStatus
from orchestrator.services.compression_orders import Order, order_compression
from orchestrator.services.mlflow_words import variant_metrics
from registry.models import Device, Measurement, Release
from registry.projection.networks import describe_variant
from registry.services.matching import choose_variants
from tests.orchestrator import compression_world as world
from tests.orchestrator.compression_world import TASK, accuracy_of, ordered, run
from tests.orchestrator.rollout_world import CRAMPED, ROOMY, SNUG, make_devices

pytestmark = pytest.mark.django_db(transaction=True)
JUDGED_OTHERWISE = [Metric.AUC, Metric.R2]


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path / "artifacts"


@pytest.fixture(params=JUDGED_OTHERWISE)
def measure(request, monkeypatch) -> Metric:
    world.use_task(monkeypatch, request.param)
    for size in (ROOMY, SNUG, CRAMPED):
        make_devices(1, size)
    return request.param


def test_each_profile_gets_the_best_by_that_measure(measure) -> None:
    job = run(ordered())
    assert job.status == JobStatus.SUCCEEDED, job.error
    release = Release.objects.get()
    chosen = choose_variants(release, Device.objects.all())
    served = {each["variant"] for each in job.result["standings"]} - {None}
    assert {choice.variant.name for choice in chosen.values() if choice.variant} == served
    best = max(each["score"] or 0 for each in job.result["standings"])
    assert best == accuracy_of(60)
    assert {each["measure"] for each in job.result["standings"]} == {measure.value}


def test_nothing_calls_it_an_accuracy(measure) -> None:
    job = run(ordered())
    variant = Release.objects.get().variants.first()
    assert not Measurement.objects.filter(metric="accuracy").exists()
    figure = variant.measurements.get(metric=measure.value)
    row = job.trials.get(number=int(variant.name[1:]))
    assert (figure.value, figure.unit, figure.status) == (row.score, "1", "measured")
    with variant.artifact.file.open("rb") as file:
        told = variant_metrics(variant, file.read())
    assert (told[measure.value], told[f"float_{measure}"]) == (row.score, row.float_score)
    assert not any("accuracy" in name for name in told)
    assert "accuracy" not in job.log


def test_command_rest_and_admin_call_it_by_its_name(measure, admin_client) -> None:
    out = io.StringIO()
    call_command("compress", TASK, "--for-fleet", "all", "--trials", "4", "--inline", stdout=out)
    name = {Metric.AUC: "AUC", Metric.R2: "R2"}[measure]
    assert name in out.getvalue() and "accuracy" not in out.getvalue()
    job = Job.objects.get()
    shown = admin_client.get(f"/api/v1/compressions/{job.pk}/").json()
    assert shown["measure"] == measure.value
    served = next(each for each in shown["standings"] if each["reach"] == "served")
    trial = next(each for each in shown["trials"] if each["name"] == served["variant"])
    assert (served["measure"], served["score"]) == (measure.value, trial["score"])
    page = admin_client.get(f"/admin/orchestrator/job/{job.pk}/change/").content.decode()
    assert f'aria-label="{name} against flash' in page
    assert f"{name} {served['score']:.4f}" in page
    listed = admin_client.get("/admin/registry/variant/").content.decode()
    assert f"{measure.value} {served['score']:.4f}" in listed


def test_a_least_score_bounds_the_release_and_the_gap_names_the_measure(measure) -> None:
    job = run(ordered(min_accuracy=accuracy_of(9)))
    for variant in Release.objects.get().variants.all():
        assert variant.measurements.get(metric=measure.value).value >= accuracy_of(9)
    job = run(ordered(min_accuracy=1.0, trials=3))
    assert job.result["release"] is None
    roomy = next(each for each in job.result["standings"] if "roomy" in each["budget"][0])
    assert [gap["constraint"] for gap in roomy["gaps"]] == [measure.value]


def test_the_graph_says_which_measure_it_is(measure) -> None:
    run(ordered(trials=3))
    variant = Release.objects.get().variants.first()
    told = str(describe_variant(variant).triples)
    assert f"metric-{measure.value}" in told and "metric-accuracy" not in told


@pytest.mark.slow
def test_a_regression_of_the_zoo_becomes_a_release(monkeypatch) -> None:
    starts = ZooTask.starts
    fewest = {"epochs": ZooTask("sine").space["epochs"].least}
    monkeypatch.setattr(ZooTask, "starts", lambda self: [{**starts(self)[1], **fewest}])
    monkeypatch.setattr(
        "orchestrator.services.compression.log_release",
        lambda release, on_progress: release.variants.count(),
    )
    order = Order("sine", ram_bytes=16_384, flash_bytes=16_384, trials=2, min_accuracy=0.5)
    job = run(order_compression(order))
    assert job.status == JobStatus.SUCCEEDED, job.error
    (standing,) = job.result["standings"]
    assert (standing["reach"], standing["measure"]) == ("served", "r2")
    variant = Release.objects.get(model__task="the sine of an angle").variants.get()
    assert variant.measurements.get(metric="r2").value == standing["score"] > 0.5
    assert variant.sensors == []


def test_a_client_that_orders_too_much_is_told(measure, admin_user) -> None:
    client = APIClient()
    client.force_login(admin_user)
    order = {"model": TASK, "fleet": "all", "min_accuracy": 1.5}
    answer = client.post("/api/v1/compressions/", order, format="json")
    assert answer.status_code == 400 and "min_accuracy" in answer.data.get("errors", answer.data)
