"""Starts `delivery_server` with a folder and ports of its own, and hands it orders."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.installation import ROOT, environment
from tests.benchmarks.light_mqtt import Fleet
from tests.orchestrator.brokers import free_port

PATIENCE_S = 900.0


class Installation:
    """A running server's side; `ask` waits for the answer to an order."""

    def __init__(self, process: subprocess.Popen[str], port: int, ready: dict[str, Any]) -> None:
        self._process = process
        self.port = port
        self.trust = [pem.encode() for pem in ready["trust"]]
        self.secret = ready["secret"]
        self.gateway_secret = ready["gateway_secret"]

    def ask(self, order: str, meanwhile: Fleet | None = None) -> Any:
        """The answer to an order; `meanwhile` the sessions of a fleet are served."""
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        if meanwhile is not None:
            meanwhile.serve(self._has_answered, PATIENCE_S)
        answer = self._process.stdout.readline()
        assert answer, f"the server's side ended at {order!r}; its log is above"
        return json.loads(answer)

    def _has_answered(self) -> bool:
        return bool(select.select([self._process.stdout], [], [], 0)[0])


@contextmanager
def installation(folder: Path, devices: int) -> Iterator[Installation]:
    """With so many accepted devices, broker, signer and scheduler running, and no gateway yet."""
    port = free_port()
    settings = {"TINYFLEET_MQTT_PORT": str(port), "TINYFLEET_BROKER": "mosquitto"}
    argv = [sys.executable, "-m", "tests.benchmarks.delivery_server", str(devices)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        argv, cwd=ROOT, env=environment(folder, free_port()) | settings, **pipes
    ) as process:
        ready = process.stdout.readline()
        assert ready, "the server's side did not start; its log is above"
        yield Installation(process, port, json.loads(ready))
        process.stdin.close()
        process.wait(60)
