"""The device counts a network's memory for itself, and near enough to what boards measure."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_firmware_sim.memory import Buffer, arena_bytes, planned_bytes
from device_firmware_sim.runtime import NetworkRefused, Runtime, load_network

STATEFUL = {"tflite-micro/trained_lstm_int8.tflite"}  # its state does not show as activations


def measured(data_dir: Path) -> dict[str, tuple[bytes, int]]:
    """Networks of data/tflm that this interpreter loads: file and smallest arena in bytes."""
    found = {}
    with (data_dir / "tflm" / "cortex_m4_measured.csv").open() as rows:
        for row in csv.DictReader(rows):
            path = data_dir / row["model"].replace("ren/", "ren/models/")
            if row["status"] == "ok" and row["model"] not in STATEFUL:
                found[row["model"]] = (path.read_bytes(), int(row["arena_min_bytes"]))
    return found


def test_its_count_is_near_the_measured_arena(data_dir: Path):
    counted = {}
    for name, (data, smallest) in measured(data_dir).items():
        try:
            counted[name] = arena_bytes(load_network(data).graph, "cmsis_nn") / smallest
        except NetworkRefused as refused:
            assert "quantized_dimension" in refused.detail or "inputs" in refused.detail, name
    assert len(counted) >= 25
    assert {name: share for name, share in counted.items() if not 0.93 < share < 1.08} == {}


def test_a_measured_arena_outranks_its_own_count(small_network: bytes):
    network = load_network(small_network)
    runtime = Runtime("reference", {}, 10_000, {network.digest.hex(): 777})
    assert runtime.arena_of(network) == 777


BUFFERS = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 9), st.integers(0, 9)).map(
        lambda each: Buffer(16 * each[0], min(each[1:]), max(each[1:]))
    ),
    max_size=12,
)


@given(BUFFERS)
def test_a_layout_is_never_smaller_than_what_lives_at_once(buffers: list[Buffer]):
    at_once = max(
        (sum(b.size_bytes for b in buffers if b.first <= now <= b.last) for now in range(10)),
        default=0,
    )
    assert at_once <= planned_bytes(buffers) <= sum(b.size_bytes for b in buffers)


@pytest.mark.parametrize("kernels", ["reference", "cmsis_nn", "esp_nn"])
def test_every_kind_of_kernels_can_be_counted(small_network: bytes, kernels: str):
    assert 1000 < arena_bytes(load_network(small_network).graph, kernels) < 1500
