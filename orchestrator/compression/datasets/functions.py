"""A sine, drawn here: one period of noisy points to train on, an even grid held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from orchestrator.compression.datasets.samples import DataSet, Samples, Split

_TRAIN, _CALIBRATION, _HELD_OUT = 1000, 100, 361
_NOISE = 0.02


def load(data: Path | None, seed: int) -> Split:
    """Angles (n, 1) in units of a period, 0 to 1, and their sines (n, 1)."""
    rng = np.random.default_rng(seed)
    train, calibration = (rng.random((count, 1), np.float32) for count in (_TRAIN, _CALIBRATION))
    noise = rng.normal(0, _NOISE, train.shape).astype(np.float32)
    grid = np.linspace(0, 1, _HELD_OUT, dtype=np.float32)[:, np.newaxis]
    return Split(
        Samples(train, _sine(train) + noise),
        Samples(calibration, _sine(calibration)),
        Samples(grid, _sine(grid)),
    )


def _sine(periods: np.ndarray) -> np.ndarray:
    return np.asarray(np.sin(2 * np.pi * periods), np.float32)


SINE = DataSet(
    name="sine",
    shape=(1,),
    sensors=(),
    load=load,
    source="computed",
    licence="none needed",
    held_out_by="point: an even grid over the period, without noise",
)
