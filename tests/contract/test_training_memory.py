"""What the server says that training takes is what a device asks for."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from device_firmware_sim.learning.tinyol import OnlineLayer, training_bytes
from registry.footprint.training import online_layer_bytes

PAGE = Path(__file__).resolve().parents[2] / "docs/mqtt-protocol.md"


@settings(derandomize=True, deadline=None)
@given(features=st.integers(1, 2000), classes=st.integers(1, 300))
def test_both_sides_count_the_same_bytes(features, classes):
    assert online_layer_bytes(features, classes) == training_bytes(features, classes)
    layer = OnlineLayer(np.zeros((features + 1, classes), np.float32))
    assert layer.state_bytes == online_layer_bytes(features, classes)


def test_the_protocol_page_gives_the_same_example():
    (said,) = re.findall(r"bytes in all, ([\d,]+) for 64 and 10", PAGE.read_text())
    assert int(said.replace(",", "")) == online_layer_bytes(64, 10)
