"""`up --bind` as its user meets it: what it prints is all that a board needs."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.installation import ROOT, Installation, free_ports, stop, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

READY_LIMIT_S = 120.0
TOLD = re.compile(
    r"sign in at mqtts://(?P<host>[\d.]+):(?P<boards>\d+) and enrol at mqtts://[\d.]+:(?P<entrance>\d+)"
    r".*?trust (?P<authority>\S+), SHA-256 (?P<fingerprint>[0-9A-F:]{95})"
    r".*?keys in (?P<trust>\S+), and enrol with the password in (?P<password>\S+) and a token",
    re.DOTALL,
)


def manage(installation: Installation, *words: str) -> str:
    command = [sys.executable, "manage.py", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=installation.environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation that is up, with boards on this machine's own address, without MLflow."""
    boards, entrance = free_ports(2)
    made = Installation(
        tmp_path,
        TINYFLEET_MQTTS_PORT=str(boards),
        TINYFLEET_ENROL_PORT=str(entrance),
        TINYFLEET_MLFLOW_URL="http://127.0.0.1:9",
        TINYFLEET_MLFLOW_INTERVAL_S="0",
    )
    manage(made, "migrate", "--verbosity", "0")
    manage(made, "load_catalogue")
    process = made.start("up", "--bind", "127.0.0.1")
    try:
        wait_for("all processes", lambda: is_ready(tmp_path, process), READY_LIMIT_S)
        yield made
        status, left = stop(process)
        assert (status, left) == (0, []), made.output_of("up")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def is_ready(var: Path, process: subprocess.Popen[str]) -> bool:
    assert process.poll() is None, (var / "up.out").read_text()
    state = var / "run" / "up.json"
    return state.exists() and json.loads(state.read_text())["ready"]


def test_a_board_joins_with_what_up_prints(installation, tmp_path) -> None:
    found = TOLD.search(installation.output_of("up"))
    assert found, installation.output_of("up")
    told = found.groupdict()
    context = ssl.create_default_context(cafile=told["authority"])
    with socket.create_connection((told["host"], int(told["entrance"])), 10) as plain:
        context.wrap_socket(plain, server_hostname=told["host"]).close()
    printed = ["openssl", "x509", "-in", told["authority"], "-noout", "-fingerprint", "-sha256"]
    assert told["fingerprint"] in subprocess.run(printed, capture_output=True, text=True).stdout

    simulator = [sys.executable, "-m", "device_firmware_sim", "--devices", "1"]
    listed = subprocess.run([*simulator, "--list-devices"], cwd=ROOT, capture_output=True)
    name = json.loads(listed.stdout)[0]["device"]
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps({name: manage(installation, "issue_token", name).strip()}))
    simulator += ["--host", told["host"], "--port", told["boards"]]
    simulator += ["--enrol-port", told["entrance"], "--tls-ca", told["authority"]]
    simulator += ["--trust", told["trust"], "--enrol-password-file", told["password"]]
    simulator += ["--tokens", str(tokens), "--state-dir", str(tmp_path / "devices")]
    board = subprocess.Popen(simulator, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for("the board is online", lambda: is_online(installation, name), 60.0)
    finally:
        board.send_signal(signal.SIGTERM)
        assert board.wait(30) == 0


def is_online(installation: Installation, name: str) -> bool:
    password = (installation.var / "keys" / "admin-password").read_text()
    base = f"http://127.0.0.1:{installation.ports['WEB']}"
    with httpx.Client(base_url=base, auth=("admin", password), timeout=30.0) as http:
        shown = http.get(f"/api/v1/devices/{name}/")
    if shown.status_code == 404:
        return False
    assert shown.status_code == 200, shown.text
    return shown.json()["status"] == "accepted" and "online" in shown.text
