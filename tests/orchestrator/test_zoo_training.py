"""A little training of each network of the zoo, and the int8 file that comes of it.

Bars are far below what the recipes reach: tests/benchmarks/test_zoo.py has those.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.compression.conversion import convert_int8
from orchestrator.compression.evaluation import Int8Classifier
from orchestrator.compression.zoo.entries import ZOO
from orchestrator.compression.zoo.entry import ZooEntry
from orchestrator.compression.zoo.training import (
    float_score,
    int8_score,
    outputs,
    trained,
)
from registry.footprint.arena import predict_arena
from registry.formats.tflite import parse

pytestmark = pytest.mark.slow  # torch and litert-torch take ten seconds to load

# For each network epochs, samples to train on, and a score that chance would not reach.
LITTLE = {
    "sine": (100, 1000, 0.95),
    "digit-cnn": (3, 600, 0.5),
    "ds-cnn": (5, 600, 0.3),
    "tiny-transformer": (3, 600, 0.3),
    "cct-2-3x2": (1, 64, 0.0),
    "dft-gaze": (6, 128, -1.0),
    "gesture-cnn": (30, 100, 0.5),
    "presence-mlp": (2, 2000, 0.8),
    "anomaly-autoencoder": (3, 2000, 0.6),
}
LONG = {"ds-cnn", "dft-gaze"}
EACH = pytest.mark.parametrize(
    "entry",
    [
        pytest.param(entry, id=name, marks=pytest.mark.soak if name in LONG else ())
        for name, entry in ZOO.items()
    ],
)


def some(samples, count):
    """Evenly over all of them: files hold one class after the other."""
    return samples.part(slice(None, None, max(1, len(samples) // count)))


@EACH
def test_it_learns_a_little_and_its_int8_file_says_the_same(entry: ZooEntry, data_dir: Path):
    epochs, count, least = LITTLE[entry.name]
    split = entry.data.load(data_dir, 0)
    held_out = some(split.held_out, 200)
    network = trained(entry, some(split.train, count), 0, epochs=epochs)
    assert float_score(network, entry, held_out) > least
    model = convert_int8(network, some(split.calibration, 20).inputs)
    assert parse(model).dtypes <= {"INT8", "INT32"}
    assert predict_arena(parse(model)).arena_bytes is not None
    assert int8_score(model, entry, held_out) > least - 0.1
    said = Int8Classifier(model).run(held_out.inputs)
    for ours, theirs in zip(said, outputs(network, held_out.inputs), strict=True):
        assert np.mean((ours - theirs) ** 2) < 0.3 * theirs.var()
