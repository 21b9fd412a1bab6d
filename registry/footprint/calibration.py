"""Fitting the instruction costs to measured counts.

    python -m registry.footprint.calibration DATA > registry/footprint/instruction_costs.json

DATA is the folder that holds tflm/cortex_m4_measured.csv and the networks that it names. Only
development needs this module.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.footprint.latency import network_work, other_work
from registry.formats.tflite import parse

# A kind of work has a basis when so many different networks do it.
_MIN_NETWORKS = 3
# Networks whose work differs by less are one network for leaving out.
_NEAR = 0.05
_SOURCE = (
    "Fitted to instructions counted on an emulated Cortex-M4F: tensorflow/tflite-micro 90b983c2b3f1"
    " with CMSIS-NN 4ab83cc3cc98, arm-none-eabi-gcc 12.2.1, kernels -O2; least relative squares"
    " with costs of at least 0; error is the 0.8 quantile over networks left out in turn"
)

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured network: its work and the instructions of one inference."""

    name: str
    work: dict[str, float]
    instructions: float


def read_samples(data: Path) -> Iterator[Sample]:
    """The networks that were measured without an error."""
    with (data / "tflm" / "cortex_m4_measured.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] == "ok":
                network = parse(model_path(data, row["model"]).read_bytes())
                count = float(row["invoke_instructions"])
                yield Sample(row["model"], network_work(network), count)


def model_path(data: Path, name: str) -> Path:
    """Where a network of the table lies."""
    folder, _, file = name.partition("/")
    return data / folder / "models" / file if folder == "ren" else data / folder / file


def calibrate(samples: Sequence[Sample]) -> dict[str, Any]:
    """The facts to carry: costs of the kinds that have a basis, and the errors left out."""
    kinds = sorted({kind for sample in samples for kind in sample.work})
    work = np.array([[sample.work.get(kind, 0.0) for kind in kinds] for sample in samples])
    counts = np.array([sample.instructions for sample in samples])
    costs = _fit(work, counts)
    based = _basis(work)
    errors = np.abs(list(left_out_errors(work, counts).values()))
    return {
        "source": _SOURCE,
        "most_other_work": round(_most_other_work(samples), 4),
        "error": round(float(np.quantile(errors, 0.8)), 3),
        "median_error": round(float(np.median(errors)), 3),
        "costs": {
            kind: round(float(cost), 4)
            for kind, cost, has_basis in zip(kinds, costs, based, strict=True)
            if has_basis
        },
    }


def _most_other_work(samples: Sequence[Sample]) -> float:
    ratios = (other_work(sample.work) for sample in samples)
    return max(ratio for ratio in ratios if math.isfinite(ratio))


def left_out_errors(work: Matrix, counts: Matrix) -> dict[int, float]:
    """Relative error of each network when it and its near copies are left out of the fit.

    Networks whose work would have no basis then are skipped: they would get no figure.
    """
    errors = {}
    for row in range(len(counts)):
        kept = [i for i in range(len(counts)) if not np.allclose(work[i], work[row], rtol=_NEAR)]
        if np.all(_basis(work[kept])[work[row] > 0]):
            errors[row] = float(work[row] @ _fit(work[kept], counts[kept]) / counts[row] - 1)
    return errors


def _basis(work: Matrix) -> NDArray[np.bool_]:
    different = np.unique(work, axis=0)
    return np.asarray(np.sum(different > 0, axis=0) >= _MIN_NETWORKS)


def _fit(work: Matrix, counts: Matrix) -> Matrix:
    return nonnegative_least_squares(work / counts[:, None], np.ones(len(counts)))


def nonnegative_least_squares(matrix: Matrix, target: Matrix) -> Matrix:
    """x >= 0 that minimises |matrix x - target| (Lawson and Hanson, 1974, algorithm NNLS)."""
    scale = np.linalg.norm(matrix, axis=0)
    scaled = matrix / np.where(scale > 0, scale, 1)
    x = np.zeros(matrix.shape[1])
    free = np.zeros(len(x), dtype=bool)
    for _ in range(10 * len(x)):
        gradient = np.where(free, -np.inf, scaled.T @ (target - scaled @ x))
        if gradient.max() <= 1e-9:
            break
        free[gradient.argmax()] = True
        x = _feasible(scaled, target, x, free)
    return x / np.where(scale > 0, scale, 1)


def _feasible(matrix: Matrix, target: Matrix, x: Matrix, free: NDArray[np.bool_]) -> Matrix:
    """The unconstrained optimum over the free variables, some of which become fixed at 0."""
    while True:
        best = np.zeros(len(x))
        best[free] = np.linalg.lstsq(matrix[:, free], target, rcond=None)[0]
        falling = free & (best <= 0)
        if not falling.any():
            return best
        step = np.min(x[falling] / (x[falling] - best[falling]))
        x = x + step * (best - x)
        free &= x > 1e-12
        x[~free] = 0


if __name__ == "__main__":
    print(json.dumps(calibrate(list(read_samples(Path(sys.argv[1])))), indent=2))
