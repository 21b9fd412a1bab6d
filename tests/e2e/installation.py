"""A whole installation under test, reached only through its public edges."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("WEB", "MQTT", "GRAPH", "MLFLOW")
OUTLIVE_S = 5.0
"""How long the kernel may take to do away with a process whose parent has ended."""


def free_ports(count: int) -> list[int]:
    """Ports that were free just now, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


class Installation:
    """The demonstration's processes in a folder and on ports of their own."""

    def __init__(self, var: Path, **settings: str) -> None:
        self.var = var
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TINYFLEET_")},
            "DJANGO_SETTINGS_MODULE": "deploy.settings",
            "TINYFLEET_VAR": str(var),
            **{f"TINYFLEET_{name}_PORT": str(port) for name, port in self.ports.items()},
            **settings,
        }

    @property
    def folder(self) -> Path:
        """Where the demonstration keeps its state."""
        return self.var / "demo"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run `manage.py …` in the background; its output goes to a file in the folder."""
        return self.run_program(arguments[0], ["manage.py", *arguments])

    def run_program(self, name: str, arguments: Sequence[str]) -> subprocess.Popen[str]:
        """Run Python with these arguments; its output goes to `NAME.out` in the folder."""
        with (self.var / f"{name}.out").open("w") as output:
            return subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def output_of(self, command: str) -> str:
        """What a command wrote so far."""
        return (self.var / f"{command}.out").read_text()

    def http(self) -> httpx.Client:
        """The web edge, as the administrator."""
        password = (self.folder / "keys" / "admin-password").read_text()
        base = f"http://127.0.0.1:{self.ports['WEB']}"
        return httpx.Client(base_url=base, auth=("admin", password), timeout=30.0)

    def processes(self) -> dict[str, dict[str, Any]]:
        """What `up` says of each process."""
        state = json.loads((self.folder / "run" / "up.json").read_text())
        return {process["name"]: process for process in state["processes"]}


def wait_for(what: str, done: Callable[[], bool], timeout_s: float) -> None:
    """Poll an outside system until it is so."""
    until = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < until, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.2)


def stop(process: subprocess.Popen[str], timeout_s: float = 60.0) -> tuple[int, list[str]]:
    """Press Ctrl-C; the exit status, and what outlived it."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGINT)
    status = process.wait(timeout_s)
    _, left = psutil.wait_procs(family, OUTLIVE_S)
    return status, [str(member) for member in left if not _has_ended(member)]


def _has_ended(process: psutil.Process) -> bool:
    """Gone, or waiting only for the machine's first process to ask for its exit status."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
