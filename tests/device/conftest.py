"""Networks, digits and a signing peer, shared by the tests of the device."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from device_firmware_sim.sensors import Stream, load_stream
from tests.device.c_client import build
from tests.device.networks import as_tflite, calibrated, random_dense
from tests.device.peer import Peer


@pytest.fixture(scope="session")
def c_client(tmp_path_factory) -> Path:
    """The client in C, built so that a step beyond a buffer or a leak ends it with an error."""
    return build(tmp_path_factory.mktemp("c"), "SANITIZE=1") / "tinyfleet-client"


@pytest.fixture(scope="session")
def peer() -> Peer:
    return Peer()


@pytest.fixture(scope="session")
def small_network() -> bytes:
    """About 2 kB: three blocks of 1 KiB."""
    return as_tflite(random_dense(16, seed=1))


@pytest.fixture(scope="session")
def other_network() -> bytes:
    return as_tflite(random_dense(20, seed=2))


@pytest.fixture(scope="session")
def large_network() -> bytes:
    """About 40 kB: three windows of 1 KiB blocks."""
    return as_tflite(random_dense(500, seed=3))


@pytest.fixture(scope="session")
def stream_file(tmp_path_factory) -> Path:
    """Real handwritten digits, 8 x 8."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    path = tmp_path_factory.mktemp("stream") / "digits.npz"
    np.savez(path, images=(digits.images / 16).astype(np.float32), labels=digits.target)
    return path


@pytest.fixture(scope="session")
def stream(stream_file: Path) -> Stream:
    return load_stream(stream_file)


@pytest.fixture(scope="session")
def digit_network(stream: Stream) -> bytes:
    """A network that reads digits: 64-24-10, trained here on the first 1,200 of them."""
    from sklearn.neural_network import MLPClassifier

    images = stream.images.reshape(len(stream.images), -1)[:1200]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It says that it could go on training; it need not.
        model = MLPClassifier((24,), max_iter=80, random_state=0, learning_rate_init=0.005)
        model.fit(images, stream.labels[:1200])
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    return as_tflite(calibrated(layers[0], layers[1], images))
