"""Figures as JSON under var/bench: each a ratio beside a peer or a limit of the same run."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "var" / "bench"


def median_s(work: Callable[[], Any], rounds: int = 7) -> float:
    """The median of several timed rounds after one that is not counted; seconds."""
    work()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keep this test's figures in a file of its name."""

    def keep(**figures: float | str) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        machine = {"python": platform.python_version(), "machine": platform.machine()}
        path = FOLDER / f"{request.node.name}.json"
        path.write_text(json.dumps({**figures, **machine}, indent=2) + "\n")

    return keep


@pytest.fixture
def keep_method() -> Callable[..., None]:
    """Keep one compression method's figures, losses too, as its part of `compression.json`."""

    def keep(method: str, **figures: Any) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / "compression.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**known, method: figures}, indent=2) + "\n")

    return keep
