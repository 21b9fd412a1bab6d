"""The zoo's data: what a loader gives, that its parts share nothing, and what it says without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.compression.datasets.samples import DataMissing, DataSet
from orchestrator.compression.datasets.spoken_digits import as_log_mel, by_speaker
from orchestrator.compression.zoo.entries import ZOO

pytestmark = pytest.mark.slow  # torch takes seconds to load

DATA_SETS = {entry.data.name: entry.data for entry in ZOO.values()}
EACH = pytest.mark.parametrize("data", DATA_SETS.values(), ids=list(DATA_SETS))
FETCHED = [data for data in DATA_SETS.values() if data.folder]


@EACH
def test_every_part_has_the_shape_that_is_said(data: DataSet, data_dir: Path):
    split = data.load(data_dir, 0)
    for part in (split.train, split.calibration, split.held_out):
        assert part.inputs.shape == (len(part), *data.shape)
        assert part.inputs.dtype == np.float32
        assert len(part.targets) == len(part) > 0
        assert np.isfinite(part.inputs).all()
    if data.classes:
        assert set(split.held_out.targets) == set(range(data.classes))


@EACH
def test_no_held_out_sample_is_among_those_trained_on(data: DataSet, data_dir: Path):
    split = data.load(data_dir, 0)
    known = {each.tobytes() for part in (split.train, split.calibration) for each in part.inputs}
    assert known.isdisjoint(each.tobytes() for each in split.held_out.inputs)


@EACH
def test_a_seed_gives_the_same_parts_again(data: DataSet, data_dir: Path):
    once, again = data.load(data_dir, 5), data.load(data_dir, 5)
    other = data.load(data_dir, 6)
    assert np.array_equal(once.calibration.inputs, again.calibration.inputs)
    assert not np.array_equal(once.calibration.inputs, other.calibration.inputs)


def test_a_held_out_speaker_is_nobody_who_was_trained_on(data_dir: Path):
    loads = [by_speaker(as_log_mel)(data_dir, seed) for seed in range(6)]
    assert {len(split.held_out) for split in loads} == {500}
    assert len({split.held_out.inputs[0].tobytes() for split in loads}) == 6


@pytest.mark.parametrize("data", FETCHED, ids=lambda data: data.name)
def test_missing_data_are_named_with_the_way_to_get_them(data: DataSet, tmp_path: Path):
    for folder in (None, tmp_path):
        with pytest.raises(DataMissing, match=f"get it from https.* into the folder {data.folder}"):
            data.load(folder, 0)
    (tmp_path / data.folder).mkdir()
    with pytest.raises(DataMissing, match=str(tmp_path)):
        data.load(tmp_path, 0)
