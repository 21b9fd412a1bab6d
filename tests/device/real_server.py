"""The real server as a process, spoken to as an operator would."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.device.server import ROOT

WITHIN_S = 30.0


class RealServer:
    """Mosquitto, signer, gateway and scheduler, spoken to as an operator would."""

    def __init__(self, var: Path, **settings: str) -> None:
        self.var = var
        self.port, graph = _free_ports()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TINYFLEET_")} | {
            "DJANGO_SETTINGS_MODULE": "deploy.settings",
            "TINYFLEET_VAR": str(var),
            "TINYFLEET_MQTT_PORT": str(self.port),
            "TINYFLEET_GRAPH_PORT": str(graph),  # nobody listens there: the graph is down
            "TINYFLEET_BROKER": "mosquitto",
            "TINYFLEET_TICK_S": "0.1",
            **settings,
        }
        with (var / "errors").open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.device.small_installation"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._heard() == "ready"

    def ask(self, *words: str) -> Any:
        """Give an order; what was printed."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self._heard()

    def roll_out(self, variant: int, device: str, *options: str) -> None:
        target = ["--variant", str(variant), "--device", device]
        self.ask("rollout", "create", *target, "--start", *options)

    def newest(self, device: str) -> dict[str, str]:
        return self.ask("deployments", device)[-1]

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(WITHIN_S) == 0, (self.var / "errors").read_text()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _heard(self) -> Any:
        assert self._process.stdout is not None
        said = json.loads(self._process.stdout.readline() or '{"error": "ended"}')
        assert "error" not in said, (said, (self.var / "errors").read_text())
        return said["said"]


def _free_ports() -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def until(what: str, holds) -> None:
    """Poll the server's database until it is so."""
    end = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.1)
