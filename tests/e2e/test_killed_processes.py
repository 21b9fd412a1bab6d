"""Killing a process of the whole during a rollout still ends with every device final.

Here beside MLflow, telemetry and two dozen devices; `tests/faults` has each process at each state.
"""

from __future__ import annotations

import os
import signal

import httpx
import pytest

from tests.e2e.conftest import Running
from tests.e2e.installation import wait_for
from tests.seeds import sample

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROCESSES = ["broker", "graph", "signer", "web", "gateway", "scheduler", "worker"]
DRAWN = ["mlflow", *sample("processes of the whole", PROCESSES, 2)]
FINAL_LIMIT_S = 120.0


def fitting(http: httpx.Client, variant: int) -> set[str]:
    page = http.get(f"/api/v1/variants/{variant}/compatible-devices/", params={"limit": 100}).json()
    return {row["device"] for row in page["results"]}


@pytest.fixture(scope="module")
def targets(demonstration: Running) -> dict:
    """Two variants and the devices that either of them fits."""
    with demonstration.installation.http() as http:
        variants = [row["id"] for row in http.get("/api/v1/variants/").json()["results"]]
        by_reach = sorted(variants, key=lambda variant: -len(fitting(http, variant)))
        first, second = by_reach[:2]
        devices = sorted(fitting(http, first) & fitting(http, second))
    assert len(devices) >= 12
    return {"variants": (first, second), "devices": devices}


def outcomes(demonstration: Running, rollout: int) -> dict[str, str] | None:
    """Each device's status, or None while the web process does not answer."""
    try:
        with demonstration.installation.http() as http:
            page = http.get("/api/v1/deployments/", params={"rollout": rollout, "limit": 100})
            page.raise_for_status()
    except httpx.HTTPError:
        return None
    return {row["device"]: row["status"] for row in page.json()["results"] if row["is_newest"]}


def send(demonstration: Running, variant: int, devices: list[str], name: str) -> int:
    with demonstration.installation.http() as http:
        order = {"name": name, "variant": variant, "target": {"devices": devices}}
        made = http.post("/api/v1/rollouts/", json=order)
        assert made.status_code == 201, made.text
        rollout = made.json()["id"]
        assert http.post(f"/api/v1/rollouts/{rollout}/start/").status_code == 200
    return rollout


@pytest.mark.parametrize("number, name", list(enumerate(DRAWN)), ids=DRAWN)
def test_every_device_ends_well(
    demonstration: Running, targets: dict, number: int, name: str
) -> None:
    before = demonstration.installation.processes()[name]
    rollout = send(demonstration, targets["variants"][number % 2], targets["devices"], name)
    os.kill(before["pid"], signal.SIGKILL)

    def all_final() -> bool:
        seen = outcomes(demonstration, rollout)
        return bool(seen) and set(seen.values()) <= {"confirmed", "already_installed"}

    wait_for(f"every device to end after {name} was killed", all_final, FINAL_LIMIT_S)

    def back() -> bool:
        process = demonstration.installation.processes()[name]
        return process["condition"] == "ready" and process["restarts"] > before["restarts"]

    wait_for(f"{name} to be back", back, 60.0)
