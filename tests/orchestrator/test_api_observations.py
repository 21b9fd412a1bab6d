"""Telemetry, jobs, drift alerts and learning tasks over REST: read, filtered, never written."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from rest_framework.test import APIClient

from orchestrator.models import DriftAlert, Job, LearningTask, Telemetry
from tests.orchestrator.rollout_world import NOW, make_devices, make_release, seconds

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("reader"))
    return client


@pytest.fixture
def observed():
    first, second = make_devices(2)
    variant = make_release().variants.get(name="small")
    for number, device in enumerate((first, second, second)):
        Telemetry.objects.create(
            device=device,
            variant=variant,
            boot=1,
            sequence=number,
            at=seconds(number),
            received_at=seconds(number),
            accuracy=0.5,
            records=[{"n": "urn:x", "v": 1}],
        )
    alert = DriftAlert.objects.create(
        device=first,
        variant=variant,
        detector="adwin",
        detected_at=NOW,
        first_telemetry=1,
        last_telemetry=2,
        accuracy_before=0.9,
    )
    LearningTask.objects.create(device=first, variant=variant, alert=alert, weights=b"\0" * 8)
    Job.objects.create(kind="log_learning", payload={"round": 1})


def test_telemetry(observed, reader):
    address = "/api/v1/telemetry/"
    assert reader.get(address).data["count"] == 3
    assert reader.get(address, {"device": "roomy-001"}).data["count"] == 2
    since = reader.get(address, {"since": seconds(2).isoformat()}).data
    assert [row["sequence"] for row in since["results"]] == [2]
    assert "records" not in since["results"][0]
    one = reader.get(f"{address}{since['results'][0]['id']}/").data
    assert one["records"] == [{"n": "urn:x", "v": 1}]
    assert one["variant"] == "digits/1/small"


def test_jobs(observed, reader):
    assert reader.get("/api/v1/jobs/", {"status": "queued"}).data["count"] == 1
    assert reader.get("/api/v1/jobs/", {"kind": "train_family"}).data["count"] == 0
    assert reader.get("/api/v1/jobs/").data["results"][0]["payload"] == {"round": 1}


def test_drift_and_learning(observed, reader):
    [alert] = reader.get("/api/v1/drift-alerts/", {"device": "roomy-000"}).data["results"]
    assert alert["accuracy_before"] == 0.9
    [task] = reader.get("/api/v1/learning-tasks/", {"alert": alert["id"]}).data["results"]
    assert task["status"] == "pending"
    assert "weights" not in task
    assert reader.get(f"/api/v1/learning-tasks/{task['id']}/").data["device"] == "roomy-000"


@pytest.mark.parametrize("kind", ["telemetry", "jobs", "drift-alerts", "learning-tasks"])
def test_nothing_can_be_written(observed, reader, kind):
    assert reader.post(f"/api/v1/{kind}/", {}, format="json").status_code == 405
    assert reader.delete(f"/api/v1/{kind}/1/").status_code == 405
    assert APIClient().get(f"/api/v1/{kind}/").status_code in {401, 403}


def test_the_schema_is_valid_and_has_it_all():
    schema = SchemaGenerator().get_schema(request=None, public=True)
    validate_schema(schema)
    for path in (
        "/api/v1/rollouts/",
        "/api/v1/rollouts/plan/",
        "/api/v1/rollouts/{id}/start/",
        "/api/v1/rollouts/{id}/retry/",
        "/api/v1/deployments/{id}/",
        "/api/v1/telemetry/",
        "/api/v1/jobs/",
        "/api/v1/drift-alerts/",
        "/api/v1/learning-tasks/",
    ):
        assert path in schema["paths"]


def test_a_broken_job_tells_its_last_line_and_keeps_its_traceback_to_the_house(reader):
    trace = 'Traceback (most recent call last):\n  File "/srv/secret.py", line 3\nKeyError: 1\n'
    job = Job.objects.create(kind="train_family", status="failed", error=trace)
    assert reader.get(f"/api/v1/jobs/{job.pk}/").data["error"] == "KeyError: 1"
    assert reader.get("/api/v1/jobs/").data["results"][0]["error"] == "KeyError: 1"
    job.refresh_from_db()
    assert job.error == trace


@pytest.mark.parametrize("number", ["1" * 25, "9" * 5000, str(2**63), "-1", "1.5", "1e30"])
@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ("deployments", "rollout"),
        ("deployments", "wave"),
        ("deployments", "variant"),
        ("rollouts", "release"),
        ("rollouts", "variant"),
        ("telemetry", "variant"),
        ("drift-alerts", "variant"),
        ("learning-tasks", "variant"),
        ("learning-tasks", "alert"),
    ],
)
def test_a_number_that_no_key_can_be_is_refused_by_name(reader, rows, name, number):
    answer = reader.get(f"/api/v1/{rows}/", {name: number})
    assert (answer.status_code, list(answer.data)) == (400, [name])


def test_the_largest_key_finds_nothing(reader):
    answer = reader.get("/api/v1/deployments/", {"rollout": 2**63 - 1})
    assert (answer.status_code, answer.data["count"]) == (200, 0)
