"""Bytes that are no sound network: one kind of error comes out, soon, and nothing else."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.footprint.description import describe
from registry.formats.tflite import FormatError, parse, strip_names
from tests.registry.tiny_networks import INT8, dense, dense_tree, shared_tables, tensor, write

GOOD = dense()


def test_bytes_that_are_no_flatbuffer():
    for data in (b"", b"TFL3", bytes(100), b"PK\x03\x04" * 20, b"\x1c\0\0\0TFL4" + bytes(50)):
        with pytest.raises(FormatError, match="not a TensorFlow Lite flatbuffer"):
            parse(data)


def test_every_truncation_is_refused():
    # Behind the last byte that a reader needs, padding may be missing.
    for length in range(len(GOOD) - 16):
        with pytest.raises(FormatError):
            parse(GOOD[:length])


def test_an_offset_out_of_range_says_where():
    data = bytearray(GOOD)
    data[0:4] = struct.pack("<I", 1 << 30)
    with pytest.raises(FormatError, match="an offset reaches byte") as caught:
        parse(bytes(data))
    assert "file of" in caught.value.what
    assert caught.value.where
    assert caught.value.remedy


def test_an_offset_of_zero_is_no_cycle():
    data = bytearray(GOOD)
    data[0:4] = bytes(4)
    with pytest.raises(FormatError, match="points at itself"):
        parse(bytes(data))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"shape": (1, -4)}, "subgraphs[0].tensors[0].shape"),
        ({"shape": (2**31 - 1,) * 4}, "subgraphs[0].tensors[0].shape"),
        ({"shape": (1,) * 200}, "subgraphs[0].tensors[0].shape"),
        ({"type": 99}, "subgraphs[0].tensors[0].type"),
        ({"buffer": 77}, "subgraphs[0].tensors[0].buffer"),
        ({"buffer": 1}, "subgraphs[0].tensors[0]"),
        ({"external_buffer": 1}, "subgraphs[0].tensors[0]"),
    ],
)
def test_a_tensor_that_cannot_be(change, where):
    tree = dense_tree()
    tree["subgraphs"][0]["tensors"][0] = tensor("x", (1, 4), INT8) | change
    with pytest.raises(FormatError) as caught:
        parse(write(tree))
    assert caught.value.where == where


@pytest.mark.parametrize("scale", [float("nan"), float("inf")])
def test_a_scale_that_is_no_number_is_left_out(scale):
    tree = dense_tree()
    tree["subgraphs"][0]["tensors"][0]["quantization"]["scale"] = (scale,)
    assert parse(write(tree)).inputs[0].quantization is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("inputs", (0, 1, 4)), ("inputs", (-2,)), ("outputs", (-1,)), ("opcode_index", 1)],
)
def test_an_operator_that_leads_nowhere(field, value):
    tree = dense_tree()
    tree["subgraphs"][0]["operators"][0][field] = value
    with pytest.raises(FormatError) as caught:
        parse(write(tree))
    assert caught.value.where == f"subgraphs[0].operators[0].{field}"


def test_another_schema_version_and_no_subgraph():
    for change, what in (
        ({"version": 2}, "schema version is 2"),
        ({"subgraphs": []}, "no subgraph"),
    ):
        with pytest.raises(FormatError, match=what):
            parse(write(dense_tree() | change))


def test_shared_tables_are_read():
    assert len(parse(shared_tables(2, 3)).subgraphs[1].tensors) == 3


def test_a_small_file_cannot_make_a_large_tree():
    data = shared_tables(4000, 4000)
    assert len(data) < 40_000
    started = time.perf_counter()
    with pytest.raises(FormatError, match="structure takes more than"):
        parse(data)
    assert time.perf_counter() - started < 10


@settings(max_examples=400, derandomize=True, deadline=2000)
@given(st.binary(max_size=400))
def test_random_bytes(data):
    with pytest.raises(FormatError):
        parse(b"\x1c\0\0\0TFL3" + data)


@st.composite
def _damage(draw: st.DrawFn, size: int) -> list[tuple[int, bytes]]:
    place = st.integers(0, size - 1)
    some = st.binary(min_size=1, max_size=4)
    return draw(st.lists(st.tuples(place, some), min_size=1, max_size=6))


def _damaged(data: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    result = bytearray(data)
    for place, values in changes:
        result[place : place + len(values)] = values
    return bytes(result)


def _only_format_errors(data: bytes) -> None:
    try:
        json.dumps(describe(data).as_json(), allow_nan=False)
        strip_names(data)
    except FormatError as error:
        assert error.what
        assert error.where
        assert error.remedy


@settings(max_examples=600, derandomize=True, deadline=2000)
@given(_damage(len(GOOD)))
def test_damaged_bytes_of_a_written_file(changes):
    _only_format_errors(_damaged(GOOD, changes))


@settings(
    max_examples=600,
    derandomize=True,
    deadline=2000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damaged_and_truncated_real_files(data_dir, data):
    name = data.draw(st.sampled_from(sorted(_real(data_dir))))
    good = _real(data_dir)[name]
    cut = data.draw(st.integers(0, len(good)) | st.just(len(good)))
    # Names and numbers come first in a stripped file: that is where damage does most.
    head = min(len(good), 2500)
    _only_format_errors(_damaged(good, data.draw(_damage(head)))[: cut or 1])


_FILES: dict[str, bytes] = {}


def _real(data_dir: Path) -> dict[str, bytes]:
    if not _FILES:
        for name in ("ren/models/Voice_Turn.tflite", "tflite-micro/trained_lstm_int8.tflite"):
            whole = (data_dir / name).read_bytes()
            _FILES[name] = whole
            _FILES[name + " stripped"] = strip_names(whole)
    return _FILES
