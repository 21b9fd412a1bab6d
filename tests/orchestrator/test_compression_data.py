"""The digits: real images, divided the same way every time, with nothing on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.compression.digits import CLASSES, DigitSplit, load_split


def parts(split: DigitSplit):
    return split.train, split.calibration, split.held_out


@pytest.mark.parametrize("seed", [0, 1, 99])
def test_no_image_is_in_two_parts_and_none_is_lost(seed: int) -> None:
    known = [image.tobytes() for part in parts(load_split(seed)) for image in part.images]
    assert len(known) == len(set(known)) == 1797


def test_enough_is_held_out_and_every_class_has_its_share() -> None:
    split = load_split(0)
    assert len(split.held_out) >= 400
    for part in parts(split):
        shares = np.bincount(part.labels, minlength=CLASSES) / len(part)
        assert np.all(np.abs(shares - 0.1) < 0.02)


def test_images_are_what_a_sensor_gives() -> None:
    for part in parts(load_split(0)):
        assert part.images.shape == (len(part), 8, 8, 1)
        assert part.images.dtype == np.float32
        assert (part.images.min(), part.images.max()) == (0, 1)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_seed_is_a_split(seed: int) -> None:
    for one, other in zip(parts(load_split(seed)), parts(load_split(seed)), strict=True):
        assert np.array_equal(one.images, other.images)
        assert np.array_equal(one.labels, other.labels)
