"""Each device walks the stream in its own order; the world changes what all of them see."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_firmware_sim.sensors import (
    TRANSFORMS,
    Camera,
    Stream,
    StreamError,
    Surroundings,
    World,
    load_stream,
)


def walk(camera: Camera, count: int) -> list[bytes]:
    return [camera.sense()[0].tobytes() for _ in range(count)]


def test_every_sample_comes_once_before_any_comes_again(stream: Stream):
    few = Stream(stream.images[:50], stream.labels[:50])
    camera = Camera(few, World(), seed=1)
    first, second = walk(camera, 50), walk(camera, 50)
    assert sorted(first) == sorted(second) and first != second
    assert len(set(first)) == 50


def test_each_seed_has_its_own_order_and_keeps_it(stream: Stream):
    orders = [walk(Camera(stream, World(), seed), 20) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_images_may_come_without_a_channel(tmp_path: Path):
    np.savez(tmp_path / "s.npz", images=np.zeros((3, 8, 8)), labels=[0, 1, -1])
    stream = load_stream(tmp_path / "s.npz")
    assert stream.images.shape == (3, 8, 8, 1)
    camera = Camera(stream, World(), 0)
    assert {camera.sense()[1] for _ in range(3)} == {0, 1, None}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": np.zeros((3, 8, 8))}, "labels"),
        ({"images": np.zeros((3, 8, 8)), "labels": np.zeros(2)}, "do not match"),
        ({"images": np.full((3, 8, 8), 2.0), "labels": np.zeros(3)}, "between 0 and 1"),
        ({"images": np.zeros((0, 8, 8)), "labels": np.zeros(0)}, "do not match"),
    ],
)
def test_a_stream_that_is_none_is_named(tmp_path: Path, arrays, said):
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(StreamError, match=said):
        load_stream(tmp_path / "s.npz")


def test_the_world_is_read_again_when_its_file_changes(tmp_path: Path, stream: Stream):
    path = tmp_path / "world.json"
    world = World(path)
    camera = Camera(stream, world, 1)
    assert world.refresh() == Surroundings()
    seen = camera.sense()[0]
    path.write_text(json.dumps({"transform": "invert", "strength": 1.0}))
    world.refresh()
    again = Camera(stream, world, 1).sense()[0]
    np.testing.assert_allclose(again, 1 - seen, atol=1e-6)
    path.unlink()
    assert world.refresh() == Surroundings()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "no JSON"),
        ("[]", "must be an object"),
        ('{"transform": "melt"}', "'melt' is none of identity"),
        ('{"strength": 2}', "not between 0 and 1"),
        ('{"strength": "all"}', "no number"),
        ('{"permute_labels": -1}', "permute_labels"),
    ],
)
def test_a_world_that_makes_no_sense_leaves_the_old_one(tmp_path: Path, content, said):
    path = tmp_path / "world.json"
    path.write_text('{"transform": "mirror"}')
    world = World(path)
    world.refresh()
    path.write_text(content)
    os.utime(path, ns=(1, 1))
    with pytest.raises(StreamError, match=said):
        world.refresh()
    assert world.now.transform == "mirror"


@given(
    name=st.sampled_from(sorted(TRANSFORMS)),
    strength=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_whatever_happens_an_image_stays_an_image(name, strength, seed):
    image = np.random.default_rng(seed).random((8, 8, 1), np.float32)
    seen = Surroundings(name, strength).look(image)
    assert seen.shape == image.shape and seen.dtype == np.float32
    assert seen.min() >= 0 and seen.max() <= 1


@pytest.mark.parametrize("name", sorted(set(TRANSFORMS) - {"identity"}))
def test_each_transform_changes_a_digit_and_none_at_strength_zero(stream: Stream, name):
    image = stream.images[3]
    assert not np.allclose(Surroundings(name, 1.0).look(image), image)
    np.testing.assert_allclose(Surroundings(name, 0.0).look(image), image, atol=1e-6)


def test_relabelling_is_a_permutation_that_its_seed_names(stream: Stream):
    world = World()
    plain = [Camera(stream, world, 5).sense()[1] for _ in range(1)]
    names = [Surroundings(permute_labels=3).called(label, 10) for label in range(10)]
    assert sorted(names) == list(range(10)) != names
    world.now = Surroundings(permute_labels=3)
    assert Camera(stream, world, 5).sense()[1] == names[plain[0]]
