"""The main job in one run: real broker, graph server, MLflow, training, devices, learning."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Running
from tests.e2e.installation import Installation, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

COUNT_FITS = """
PREFIX tf: <https://w3id.org/tinyfleet/ontology#>
SELECT ?device ?variant WHERE {
  ?device a tf:Device ; tf:profile ?profile . ?variant tf:fits ?profile .
}
"""


@pytest.fixture(scope="module")
def report(demonstration: Running) -> dict:
    return json.loads(demonstration.report.read_text())


@pytest.fixture(scope="module")
def http(demonstration: Running):
    with demonstration.installation.http() as client:
        yield client


def test_the_fleet_enrolled(report: dict, http: httpx.Client) -> None:
    assert report["devices"] == 24
    assert report["board_types"] >= 8
    devices = http.get("/api/v1/devices/", params={"limit": 100}).json()["results"]
    assert len(devices) == 24
    assert {device["status"] for device in devices} == {"accepted"}


def test_the_release_is_a_family_in_mlflow_too(report: dict, demonstration: Running) -> None:
    assert report["variants"] >= 5
    assert report["mlflow_versions"] == report["variants"]
    mlflow = f"http://127.0.0.1:{demonstration.installation.ports['MLFLOW']}"
    answer = httpx.get(
        f"{mlflow}/api/2.0/mlflow/model-versions/search", params={"max_results": 100}, timeout=30.0
    )
    assert len(answer.json()["model_versions"]) >= report["variants"]


def test_the_champion_is_marked_in_mlflow(demonstration: Running, http: httpx.Client) -> None:
    """By a job that follows the rollout, so a little later."""

    def aliases() -> list[dict]:
        rows = http.get("/api/v1/mlflow-aliases/", params={"title": "champion"}).json()["results"]
        return [row for row in rows if row["stands_at"]]

    wait_for("the alias follows the title", lambda: bool(aliases()), 120.0)
    [alias] = aliases()
    mlflow = f"http://127.0.0.1:{demonstration.installation.ports['MLFLOW']}/api/2.0/mlflow"
    asked = {"name": alias["mlflow_model"], "alias": "champion"}
    answer = httpx.get(f"{mlflow}/registered-models/alias", params=asked, timeout=30.0).json()
    version = answer["model_version"]
    assert version["version"] == alias["stands_at"]
    tags = {tag["key"]: tag["value"] for tag in version["tags"]}
    assert tags["champion"] == "true"
    assert tags["release"] == f"{alias['model']}/{alias['release']}"


def test_matching_gives_its_reasons(report: dict, http: httpx.Client) -> None:
    assert {"flash", "ram", "operators"} <= set(report["constraints_seen"])
    refused = report["refused"][0]
    variant = http.get("/api/v1/variants/").json()["results"][0]["id"]
    answer = http.get(
        "/api/v1/compatibility/", params={"device": refused["device"], "variant": variant}
    ).json()
    assert answer["verdict"] == "does_not_fit"
    keys = {"constraint", "need", "have", "unit", "headroom", "holds"}
    assert all(keys <= set(reason) for reason in answer["reasons"])


def test_rest_and_sparql_agree_on_what_fits(http: httpx.Client) -> None:
    def pairs() -> int:
        answer = http.post("/sparql", data={"query": COUNT_FITS})
        return len(answer.json()["results"]["bindings"])

    devices = http.get("/api/v1/devices/", params={"limit": 100}).json()["results"]
    fits = sum(
        http.get(f"/api/v1/devices/{device['device_id']}/compatible-variants/").json()["count"]
        for device in devices
    )
    wait_for("the graph to agree with REST", lambda: pairs() == fits, 30.0)


def test_most_devices_run_the_best_that_fits(report: dict) -> None:
    assert report["installed"] >= 20
    assert report["distinct_variants_installed"] >= 3
    assert report["installed"] + len(report["refused"]) == report["devices"]


def test_each_refusal_names_a_constraint_and_by_how_much(report: dict) -> None:
    assert report["refused"]
    for refusal in report["refused"]:
        assert refusal["constraint"] in {"flash", "ram", "operators", "sensors", "dtypes"}
        assert refusal["need"] is not None
        assert refusal["have"] is not None


def test_accuracy_falls_and_most_of_it_comes_back(report: dict) -> None:
    before, drifted, adapted = (report["accuracy"][k] for k in ("before", "drifted", "adapted"))
    assert before >= 0.95
    assert before - drifted >= 0.15
    assert adapted - drifted >= 0.5 * (before - drifted)


def test_learning_is_logged_for_each_variant(demonstration: Running) -> None:
    with demonstration.installation.http() as http:
        jobs = http.get("/api/v1/jobs/", params={"kind": "log_learning"}).json()["results"]
    assert jobs
    assert {job["status"] for job in jobs} == {"succeeded"}


def test_what_it_takes_is_stated(report: dict) -> None:
    assert report["seconds"] > 0
    assert 0 < report["peak_pss_mb"] <= 3000


def test_the_graph_equals_the_database(demonstration: Running) -> None:
    installation = demonstration.installation
    installation.environment["TINYFLEET_VAR"] = str(installation.folder)
    try:
        assert installation.start("check_graph").wait(60) == 0, installation.var
    finally:
        installation.environment["TINYFLEET_VAR"] = str(installation.var)


def test_a_port_in_use_is_named_with_the_process_that_needs_it(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    assert installation.start("migrate").wait(120) == 0
    with socket.create_server(("127.0.0.1", installation.ports["GRAPH"])):
        assert installation.start("up").wait(60) == 1
    said = installation.output_of("up")
    assert "graph needs 127.0.0.1" in said
    assert "TINYFLEET_GRAPH_PORT" in said
