"""An installation of its own for a benchmark: folder, database, graph server, generated fleet."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
SEED = 1
_LOOK_S = 0.1


def environment(folder: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TINYFLEET_")}
    own = {"TINYFLEET_VAR": str(folder), "TINYFLEET_GRAPH_PORT": str(port)}
    own |= {"DJANGO_SETTINGS_MODULE": "deploy.settings", "TINYFLEET_LOG_LEVEL": "WARNING"}
    return kept | own | {"TINYFLEET_NETWORK_TIMEOUT_S": "60"}


def manage(command: str, *arguments: object) -> dict[str, float]:
    """Run a command of the product: its wall and processor time, and the most memory it held."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    argv = [sys.executable, "manage.py", command, *map(str, arguments)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        held_bytes = _watched(process)
    taken_s = time.perf_counter() - began
    assert process.returncode == 0, argv
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"taken_s": taken_s, "cpu_s": cpu_s, "peak_bytes": held_bytes}


def _watched(process: subprocess.Popen[bytes]) -> int:
    """The most memory of a process until it ends, read as it runs.

    What getrusage tells of a child is its parent's at the fork, if that was more.
    """
    held_bytes = 0
    while True:
        try:
            process.wait(timeout=_LOOK_S)
        except subprocess.TimeoutExpired:
            held_bytes = max(held_bytes, peak_bytes(process.pid))
        else:
            return held_bytes


@contextmanager
def graph_server(folder: Path, port: int) -> Iterator[int]:
    """The process id of the graph server over the installation's graph."""
    binary = Path(sys.executable).with_name("oxigraph")
    argv = [binary, "serve", "--location", folder / "graph", "--bind", f"127.0.0.1:{port}"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.stderr.readline()
            assert "Listening" in said, said
            yield process.pid
        finally:
            process.terminate()


def cpu_s(pid: int) -> float:
    """The processor time of a process."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def peak_bytes(pid: int) -> int:
    """The most memory that a process has held (VmHWM); of one that ended nothing is known: 0."""
    said = Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()
    return int(said[0]) * 1024 if said else 0
