"""Fitting cores' speeds and boards' power to published measurements of real boards.

    python -m registry.footprint.board_calibration DATA > registry/footprint/core_speeds.json

DATA is the folder that holds mlperf-tiny/results_v1.2_summary.csv and
published/mcunet_stm32h743.csv. Only development needs this module.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from registry.footprint.latency import predict_instructions
from registry.footprint.reference_networks import REFERENCE_NETWORKS

_SUBMITTER = "STMicroelectronics"
_MEASURED_RUNTIME, _OUR_RUNTIME = "x-cube-ai", "cmsis-nn"
_CORES = ("Cortex-M4", "Cortex-M7", "Cortex-M33")
_SOURCE = (
    "Cycles per predicted instruction: the four networks of MLPerf Tiny v1.2 under X-CUBE-AI 9.0"
    " (STMicroelectronics' closed submissions), times how much longer CMSIS-NN@011bf32 takes than"
    " X-CUBE-AI 7.3.0 on one STM32H743 (mit-han-lab/tinyengine); geometric means; power from the"
    " energy of the same submissions; error is the 0.8 quantile over what was left out in turn"
)
_QUANTILE = 0.8


@dataclass(frozen=True, slots=True)
class Submission:
    """One network on one board: seconds of an inference, and joules."""

    board: str
    core: str
    clock_hz: float
    network: str
    latency_s: float
    energy_j: float


def read_submissions(data: Path) -> Iterator[Submission]:
    """What was submitted for Arm cores under the runtime that the other table has as well."""
    with (data / "mlperf-tiny" / "results_v1.2_summary.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["Organization"] == _SUBMITTER:
                yield Submission(
                    board=row["BoardName"].lower(),
                    core=_core(row["HostProcessorModelName"]),
                    clock_hz=float(row["HostProcessorFrequency"].split()[0]) * 1e6,
                    network=row["MlperfModel"],
                    latency_s=1 / float(row["Result"]),
                    energy_j=float(row["Power"]) * 1e-6,
                )


def read_ratios(data: Path) -> dict[str, float]:
    """How much longer our runtime takes than the measured one, by network, on one board."""
    latencies: dict[str, dict[str, float]] = defaultdict(dict)
    with (data / "published" / "mcunet_stm32h743.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["latency_ms"]:
                runtime = row["runtime"].partition("@")[0]
                latencies[row["network"]][runtime] = float(row["latency_ms"])
    return {
        network: each[_OUR_RUNTIME] / each[_MEASURED_RUNTIME]
        for network, each in latencies.items()
        if each.keys() >= {_OUR_RUNTIME, _MEASURED_RUNTIME}
    }


def calibrate(submissions: Sequence[Submission], ratios: Mapping[str, float]) -> dict[str, Any]:
    """The facts to carry, rounded to what they mean."""
    by_core: dict[str, list[float]] = defaultdict(list)
    by_board: dict[str, list[float]] = defaultdict(list)
    for each in submissions:
        cycles = each.latency_s * each.clock_hz
        by_core[each.core].append(cycles / reference_instructions(each.network))
        by_board[each.board].append(each.energy_j / each.latency_s * 1e3)
    times = list(ratios.values())
    return {
        "source": _SOURCE,
        "cycles_per_instruction": {
            core: _figure(cycles, times) for core, cycles in by_core.items()
        },
        "power_mw": {board: _figure(power, [1.0]) for board, power in by_board.items()},
    }


def reference_instructions(network: str) -> float:
    """Instructions that we predict for a network of the benchmark."""
    estimate = predict_instructions(REFERENCE_NETWORKS[network]())
    if estimate is None:
        raise ValueError(f"there is no estimate for {network}: calibrate the instructions first")
    return estimate.value


def _figure(cases: Sequence[float], times: Sequence[float]) -> dict[str, float]:
    """Their product's geometric mean, and how far one predicted by the others misses it."""
    errors = [
        abs(predicted * factor - 1)
        for predicted in _left_out(cases)
        for factor in (_left_out(times) if len(times) > 1 else [1.0])
    ]
    return {
        "value": float(f"{_mean(cases) * _mean(times):.4g}"),
        "error": round(float(np.quantile(errors, _QUANTILE)), 3),
    }


def _left_out(cases: Sequence[float]) -> list[float]:
    """For each case the mean of the others as a multiple of it."""
    return [_mean([*cases[:i], *cases[i + 1 :]]) / case for i, case in enumerate(cases)]


def _mean(cases: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(cases))))


def _core(description: str) -> str:
    """The name of a core as the catalogue writes it; the longest that occurs, M33 before M3."""
    found = [core for core in _CORES if core.lower() in description.lower()]
    if not found:
        raise ValueError(f"no known core in {description!r}")
    return max(found, key=len).lower()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print(json.dumps(calibrate(list(read_submissions(folder)), read_ratios(folder)), indent=2))
