"""`describe` says of every figure that matching weighs how it was come by."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from registry.models import BoardType
from tests.orchestrator.small_networks import small_network

pytestmark = pytest.mark.django_db

BOARD = "nucleo-l4r5zi"  # its power was measured


def said(tmp_path: Path, *options: str) -> str:
    facts = {"name": BOARD, "vendor": "v", "mcu": "m", "source": "s"}
    BoardType.objects.create(slug=BOARD, core="cortex-m4f", clock_hz=120_000_000, **facts)
    path = tmp_path / "network.tflite"
    path.write_bytes(small_network(64, 10, 1))
    out = StringIO()
    call_command("describe", str(path), "--board", BOARD, *options, stdout=out)
    return out.getvalue()


def test_as_json(tmp_path: Path) -> None:
    found = json.loads(said(tmp_path, "--json"))
    figures = {(each["metric"], each["kernels"]): each for each in found["figures"]}
    assert all(each["status"] == "derived" and each["source"] for each in figures.values())
    assert figures["arena_bytes", "cmsis_nn"]["value"] == found["arena_bytes"]
    assert figures["macs", None]["value"] == found["macs"]
    for name in ("instructions", "latency_ms", "energy_mj"):
        figure = figures[name, "cmsis_nn"]
        assert (figure["value"], figure["error"]) == (found[name]["value"], found[name]["error"])
    assert figures["latency_ms", "cmsis_nn"]["board"] == BOARD


def test_as_a_table(tmp_path: Path) -> None:
    lines = said(tmp_path).splitlines()
    (arena,) = [line for line in lines if line.startswith("arena_bytes") and "cmsis_nn" in line]
    assert "derived" in arena
    assert "TFLite Micro's memory plan, worked out from the file" in arena
