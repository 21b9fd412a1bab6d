"""The online layer by itself: it learns, in whatever unit its features come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_firmware_sim.learning.tinyol import OnlineLayer
from device_firmware_sim.sensors import TRANSFORMS, Surroundings

RANDOM = settings(max_examples=20, deadline=None, derandomize=True)


def blobs(seed: int, samples: int):
    """Three classes of features that overlap a little, far from the origin."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, samples)
    centres = random.normal(0, 3, (3, 8)) + 10
    return (centres[labels] + random.normal(0, 1, (samples, 8))).astype(np.float32), labels


def learnt(features, labels) -> OnlineLayer:
    layer = OnlineLayer(np.zeros((9, 10), np.float32))
    for sample, label in zip(features, labels, strict=True):
        layer.learn(sample, int(label), 0.05)
    return layer


def said(layer: OnlineLayer, features):
    return np.array([layer.classify(sample) for sample in features])


@RANDOM
@given(seed=st.integers(0, 10_000))
def test_a_layer_learns_what_it_is_shown(seed):
    features, labels = blobs(seed, 400)
    layer = learnt(features[:300], labels[:300])
    assert (said(layer, features[300:]) == labels[300:]).mean() > 0.75


@RANDOM
@given(seed=st.integers(0, 10_000), factor=st.floats(0.01, 100))
def test_it_does_not_care_for_units(seed, factor):
    features, labels = blobs(seed, 200)
    scaled = features * np.float32(factor)
    plain, other = learnt(features[:100], labels[:100]), learnt(scaled[:100], labels[:100])
    assert (said(plain, features) == said(other, scaled)).mean() > 0.95


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if name != "identity"])
def test_a_drift_changes_what_is_seen_and_not_the_stream(stream, name):
    before = stream.images[0].copy()
    seen = Surroundings(name).look(stream.images[0])
    assert seen.shape == before.shape
    assert seen.dtype == np.float32
    assert seen.min() >= 0
    assert seen.max() <= 1
    assert (seen != before).any()
    assert np.array_equal(stream.images[0], before)
