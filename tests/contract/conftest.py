"""The client in C as the contract tests use it, built once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.contract.make_vectors import FOLDER
from tests.device.c_client import build


@pytest.fixture(scope="session")
def check(tmp_path_factory) -> Path:
    """The checks, built so that a step beyond a buffer or undefined behaviour ends them."""
    return build(tmp_path_factory.mktemp("c"), "SANITIZE=1") / "tinyfleet-check"


@pytest.fixture(scope="session")
def device(tmp_path_factory) -> list[str]:
    """Words that say for which device an envelope is judged: that of `values.json`."""
    folder = tmp_path_factory.mktemp("device")
    trust = folder / "trust"
    trust.mkdir()
    for name in ("author", "operator"):
        shutil.copy(FOLDER / f"{name}-public.pem", trust)
    said = json.loads((FOLDER / "values.json").read_text())["device"]
    facts = [
        f"board {said['board']}",
        "firmware golden 1",
        f"slot_bytes {said['slot_bytes']}",
        f"arena_budget_bytes {said['arena_budget_bytes']}",
        "receive_buffer_bytes 8192",
        f"runtime {said['runtime']} 1 reference",
        *(f"operator {name} {version}" for name, version in said["operators"].items()),
    ]
    (folder / "firmware").write_text("\n".join(facts) + "\n")
    now = [said["device_id"], str(said["floor_sequence"]), str(said["now"])]
    return [str(trust), str(folder / "firmware"), *now]
