"""Five gestures with a wand, each a second of a six-axis IMU at 119 Hz.

100 recordings are there to train and to calibrate, 25 are held out. A file holds recordings of 119
rows one after the other; its name is the gesture's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ontology.facts import SensorNeed
from orchestrator.compression.datasets.samples import (
    DataMissing,
    DataSet,
    Samples,
    Split,
    divide,
    folder_of,
)

RATE_HZ = 119
ROWS = 119
AXES = 6

_ADDRESS = "https://github.com/nanguoyu/Magic_Wand_Data"
_FOLDER = "magic-wand"
_CALIBRATION = 20
# Full scale of the accelerometer in g, and what a quick hand reaches in degrees a second.
_SCALE = np.array([4.0] * 3 + [1000.0] * 3, np.float32)


def load(data: Path | None, seed: int) -> Split:
    """Recordings (n, 119, 6) and the place of their gesture among the names in order."""
    folder = folder_of(data, _FOLDER, _ADDRESS)
    train, calibration = divide(_recordings(folder / "train"), _CALIBRATION, seed)
    return Split(train, calibration, _recordings(folder / "test"))


def _recordings(folder: Path) -> Samples:
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise DataMissing(f"{folder} holds no recordings as GESTURE.csv")
    tables = [np.loadtxt(path, np.float32, delimiter=",", skiprows=1) for path in paths]
    cut = [(table / _SCALE)[: len(table) // ROWS * ROWS] for table in tables]
    recordings = [table.reshape(-1, ROWS, AXES) for table in cut]
    labels = [np.full(len(each), place, np.int64) for place, each in enumerate(recordings)]
    return Samples(np.concatenate(recordings).astype(np.float32), np.concatenate(labels))


GESTURES = DataSet(
    name="gestures",
    shape=(ROWS, AXES),
    sensors=tuple(SensorNeed(kind, RATE_HZ, (3,)) for kind in ("accelerometer", "gyroscope")),
    load=load,
    source=f"Magic Wand Data (nanguoyu), {_ADDRESS}",
    licence="MIT",
    held_out_by="recording, as its author divides them",
    classes=5,
    folder=_FOLDER,
)
