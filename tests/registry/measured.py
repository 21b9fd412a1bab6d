"""The networks that were measured on a Cortex-M4."""

from __future__ import annotations

import csv
from pathlib import Path

from registry.footprint.calibration import model_path


def measured_rows(data: Path) -> list[dict[str, str]]:
    """The rows of the table that have figures."""
    with (data / "tflm" / "cortex_m4_measured.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["status"] == "ok"]


def model_bytes(data: Path, name: str) -> bytes:
    """The file that a row speaks of."""
    return model_path(data, name).read_bytes()


def all_models(data: Path) -> list[Path]:
    """Every .tflite file among the data."""
    return sorted(data.rglob("*.tflite"))
