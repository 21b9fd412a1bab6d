"""What every data set gives: samples in three parts that share none, and where they come from."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from ontology.facts import SensorNeed

Floats = npt.NDArray[np.float32]
Targets = npt.NDArray[Any]


class DataMissing(ValueError):
    """The data are not where they should be; says where that is and how to get them."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Inputs (n, ...) as a sensor gives them, channels last, and what is wanted of each.

    `targets` are labels (n,) of int64 for classes, values (n, k) of float32 otherwise.
    """

    inputs: Floats
    targets: Targets

    def __len__(self) -> int:
        return len(self.inputs)

    def part(self, chosen: npt.NDArray[Any] | slice) -> Samples:
        """Those at `chosen`: indices, a mask or a slice."""
        return Samples(self.inputs[chosen], self.targets[chosen])


@dataclass(frozen=True, slots=True)
class Split:
    """Weights are fitted to `train`, int8 ranges to `calibration`, nothing to `held_out`."""

    train: Samples
    calibration: Samples
    held_out: Samples


@dataclass(frozen=True, slots=True)
class DataSet:
    """A kind of data: what a sample is, whose it is, and how to come by it.

    `shape` is that of one input, `sensors` what a device needs to take one. `load` takes the folder
    of downloaded data (None where there is none) and a seed, and gives the same parts for the same
    seed; `held_out_by` says what no two parts share. `folder` is its place in that folder, empty
    for what comes with a package or is drawn here.
    """

    name: str
    shape: tuple[int, ...]
    sensors: tuple[SensorNeed, ...]
    load: Callable[[Path | None, int], Split]
    source: str
    licence: str
    held_out_by: str
    classes: int = 0
    folder: str = ""


def data_folder() -> Path | None:
    """The folder of downloaded data that TINYFLEET_DATA names; None where it names none."""
    named = os.environ.get("TINYFLEET_DATA")
    return Path(named) if named else None


def folder_of(data: Path | None, name: str, address: str) -> Path:
    """Where the files of a data set lie. DataMissing where they do not."""
    how = f"get it from {address} into the folder {name} and point TINYFLEET_DATA at its parent"
    if data is None:
        raise DataMissing(f"no data folder is set: {how}")
    if not (data / name).is_dir():
        raise DataMissing(f"{data / name} is missing: {how}")
    return data / name


def divide(samples: Samples, taken: int, seed: int) -> tuple[Samples, Samples]:
    """The rest and `taken` of the samples, with as much of each class in both."""
    first, second = train_test_split(
        np.arange(len(samples)), test_size=taken, random_state=seed, stratify=samples.targets
    )
    return samples.part(first), samples.part(second)
