"""Presence in an office by its room sensors, a reading a minute: UCI's Occupancy Detection.

One file is trained on; the two that its authors made at other times are held out. Humidity ratio,
which they derive from the rest, is left out. A sample is a quarter of an hour up to its label.
"""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import numpy as np

from ontology.facts import SensorNeed
from orchestrator.compression.datasets.samples import (
    DataMissing,
    DataSet,
    Floats,
    Samples,
    Split,
    divide,
    folder_of,
)

READINGS = 16
# The name of a column, and of the kind of sensor that fills it.
SENSORS = {
    "Temperature": "temperature",
    "Humidity": "humidity",
    "Light": "light",
    "CO2": "gas",
}

_ADDRESS = "https://archive.ics.uci.edu/dataset/357/occupancy+detection"
_FOLDER = "occupancy"
_TRAIN, _HELD_OUT = ("datatraining.txt",), ("datatest.txt", "datatest2.txt")
_CALIBRATION = 200
_LONGEST_GAP_S = 90.0
# Centre and spread of an office's air and light, in degrees, percent, lux and ppm.
_CENTRE = np.array([21.0, 27.0, 250.0, 700.0], np.float32)
_SPREAD = np.array([3.0, 8.0, 250.0, 400.0], np.float32)


def load(data: Path | None, seed: int) -> Split:
    """Windows (n, 16, 4) and whether somebody is there at their end, 0 or 1."""
    folder = folder_of(data, _FOLDER, _ADDRESS)
    train, calibration = divide(_windows(folder, _TRAIN), _CALIBRATION, seed)
    return Split(train, calibration, _windows(folder, _HELD_OUT))


def load_empty_rooms(data: Path | None, seed: int) -> Split:
    """To find anomalies: empty rooms to train on, their own targets; held out, who was there."""
    split = load(data, seed)
    return Split(_empty(split.train), _empty(split.calibration), split.held_out)


def _empty(samples: Samples) -> Samples:
    inputs = samples.inputs[samples.targets == 0]
    return Samples(inputs, inputs.reshape(len(inputs), -1))


def _windows(folder: Path, names: tuple[str, ...]) -> Samples:
    """Of each file the windows without a gap; none reaches over the end of a file."""
    parts = [_windows_of(*_readings(folder / name)) for name in names]
    return Samples(
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.targets for part in parts]),
    )


def _windows_of(times_s: np.ndarray, readings: Floats, present: np.ndarray) -> Samples:
    ends = np.arange(READINGS - 1, len(times_s))
    rows = ends[:, np.newaxis] - np.arange(READINGS)[::-1]
    whole = (np.diff(times_s[rows], axis=1) <= _LONGEST_GAP_S).all(1)
    return Samples(readings[rows[whole]], present[ends[whole]])


def _readings(path: Path) -> tuple[np.ndarray, Floats, np.ndarray]:
    """Seconds (n,), scaled readings (n, 4), presence (n,)."""
    if not path.is_file():
        raise DataMissing(f"{path} is missing; all files of {_ADDRESS} belong there")
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    # The header lacks a name for the row's number, which comes first.
    table = [dict(zip(["row", *header], row, strict=True)) for row in rows]
    times_s = np.array([datetime.fromisoformat(row["date"]).timestamp() for row in table])
    readings = np.array([[float(row[name]) for name in SENSORS] for row in table], np.float32)
    present = np.array([int(row["Occupancy"]) for row in table], np.int64)
    return times_s, (readings - _CENTRE) / _SPREAD, present


def _data_set(name: str, held_out_by: str, classes: int) -> DataSet:
    return DataSet(
        name=name,
        shape=(READINGS, len(SENSORS)),
        sensors=tuple(SensorNeed(kind, 1 / 60) for kind in SENSORS.values()),
        load=load if classes else load_empty_rooms,
        source=f"UCI data set 357, Occupancy Detection (L. Candanedo, 2016), {_ADDRESS}",
        licence="CC BY 4.0",
        held_out_by=held_out_by,
        classes=classes,
        folder=_FOLDER,
    )


ROOM_PRESENCE = _data_set("room-presence", "file: datatest and datatest2, other days", 2)
EMPTY_ROOMS = _data_set("empty-rooms", "file: datatest and datatest2, other days", 0)
