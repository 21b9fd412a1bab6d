"""Bytes that are no sound ONNX network: one kind of error comes out, soon, and nothing else."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from registry.footprint.description import describe
from registry.formats.errors import FormatError
from registry.formats.model_file import MAX_ENDS, MAX_OPERATOR_KINDS, read_network
from registry.formats.protobuf_reader import MAX_DEPTH, MAX_NAME_BYTES
from tests.registry.onnx_files import (
    computed_shapes,
    control_flow,
    dense,
    field,
    file,
    graph,
    info,
    node,
    varint,
)

GOOD = dense()
VERSION = field(1, 8)
_START = VERSION + field(8, field(2, 17))


def with_graph(contents: bytes) -> bytes:
    """A model with such a graph."""
    return _START + field(7, contents)


def refused(data: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        read_network(data)
    assert caught.value.where
    assert caught.value.remedy
    return caught.value


def test_nodes_that_wait_for_each_other_are_named():
    nodes = [node("Relu", "x", "a"), node("Add", "a c", "b"), node("Relu", "b", "c")]
    error = refused(file(nodes, [info("x", [1, 4])], [info("b", None)]))
    assert "the graph is cyclic: the nodes 1 (Add), 2 (Relu) wait for each other" in error.what
    assert error.where == "graph.node[1]"


def test_a_node_that_waits_for_itself():
    error = refused(file([node("Add", "x y", "y")], [info("x", [1])], [info("y", [1])]))
    assert "the nodes 0 (Add) wait" in error.what


def test_a_cycle_through_a_subgraph():
    body = graph([node("Relu", "z", "t")], [], [info("t", None)])
    nodes = [node("If", "c", "y", then_branch=body, else_branch=body), node("Relu", "y", "z")]
    assert "cyclic" in refused(file(nodes, [info("c", [], TensorProto.BOOL)], [])).what


@pytest.mark.parametrize(
    ("nodes", "outputs", "what"),
    [
        ([node("Relu", "nowhere", "y")], [], "nothing gives 'nowhere'"),
        ([node("", "x", "y")], [], "the node names no operator"),
        ([node("Relu", "x", "y")], [info("z", [1])], "nothing gives 'z'"),
        ([node("Relu", "x", "y"), node("Tanh", "x", "y")], [], "nodes 0 and 1 both give 'y'"),
    ],
)
def test_names_that_lead_nowhere_or_twice(nodes, outputs, what):
    assert what in refused(file(nodes, [info("x", [1])], outputs)).what


def test_every_truncation_is_refused_or_is_a_shorter_network():
    """A message may end behind any of its fields; behind the graph there are only operator sets."""
    complete = len(GOOD) - len(GOOD[GOOD.rindex(b"\x42") :])
    for length in range(complete):
        try:
            read_network(GOOD[:length])
        except FormatError as error:
            assert error.where
        else:
            assert length >= GOOD.index(b"net")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x08" + b"\xff" * 11, "a number takes more than 10 bytes"),
        (b"\x08\xff", "the message ends at byte 2 within a number"),
        (VERSION + b"\x3a" + varint(1 << 60) + b"x", "a length reaches byte 11529"),
        (VERSION + b"\x3a" + varint((1 << 64) - 1), "a length reaches byte"),
        (VERSION + b"\x00\x00", "a field has the number 0"),
        (VERSION + b"\x3b", "the unknown wire type 3"),
        (VERSION + field(7, b"") * 2, "the field occurs twice"),
        (VERSION + field(7, 5), "the wire type 0 is not this field's"),
        (VERSION, "the model has no graph"),
        (field(7, b""), "names no version of ONNX"),
        (VERSION + field(8, field(2, 1 << 40)) + field(7, b""), "has the version 1099511627776"),
    ],
)
def test_a_damaged_message(data, what):
    assert what in refused(data).what


def _constant(dims: tuple[int, ...], dtype: int = 1, contents: bytes = b"") -> bytes:
    shape = b"".join(field(1, length & (1 << 64) - 1) for length in dims)
    return shape + field(2, dtype) + field(8, b"w") + (field(9, contents) if contents else b"")


@pytest.mark.parametrize(
    ("dims", "dtype", "contents", "what"),
    [
        ((1 << 40, 1 << 40), 1, b"", "takes more than 2147483647 bytes"),
        ((1,) * 100, 1, b"", "100 dimensions, more than"),
        ((-4,), 1, b"", "has a dimension below zero"),
        ((4,), 99, b"", "the tensor type 99 is not known"),
        ((4,), 1, bytes(15), "its shape needs 16 bytes and 15 are there"),
        ((1 << 28,), 1, b"", "its shape needs 1073741824 bytes and 0 are there"),
    ],
)
def test_a_constant_that_cannot_be(dims, dtype, contents, what):
    assert what in refused(with_graph(field(5, _constant(dims, dtype, contents)))).what


def test_a_shape_that_grows_beyond_any_memory_is_refused_where_it_does():
    """Each Tile is small; together they would take 2 to the 60th bytes."""
    nodes = [node("Tile", f"t{n} times", f"t{n + 1}") for n in range(3)]
    held = {"times": np.array([1 << 20])}
    error = refused(file(nodes, [info("t0", [4])], [info("t3", None)], held))
    assert "takes more than" in error.what
    assert error.where.startswith("graph.node[1]")


def test_numbers_that_double_at_each_node_stay_small():
    nodes = [node("Mul", f"n{i} n{i}", f"n{i + 1}") for i in range(2000)]
    nodes.append(node("ConstantOfShape", "n2000", "y"))
    began = time.process_time()
    network = read_network(file(nodes, [], [info("y", None)], {"n0": np.array([3])}))
    assert not network.outputs[0].is_sized
    assert time.process_time() - began < 5


@pytest.mark.parametrize(("scale", "zero"), [(np.nan, 0.0), (np.inf, 0.0), (0.5, np.inf)])
def test_scales_and_zero_points_that_are_no_numbers_are_left_out(scale, zero):
    held = {"s": np.float32(scale), "z": np.float32(zero)}
    data = file([node("QuantizeLinear", "x s z", "y")], [info("x", [1])], [info("y", [1])], held)
    json.dumps(describe(data).as_json(), allow_nan=False)


def _chain() -> bytes:
    """Thousands of products that all read from the end of one long chain."""
    nodes = [node("Identity", f"a{n}", f"a{n + 1}") for n in range(8000)]
    nodes += [node("MatMul", f"a8000 a{n}", f"z{n}") for n in range(0, 8000, 4)]
    return file(nodes, [info("a0", [4, 4])], [])


def _shared_scales() -> bytes:
    """Thousands of nodes that all name the same million scales."""
    nodes = [node("DequantizeLinear", "w s", f"d{n}", axis=0) for n in range(5000)]
    held = {"s": np.ones(1_000_000, np.float32), "w": np.ones(1_000_000, np.int8)}
    return file(nodes, [], [], held)


@pytest.mark.parametrize("make", [_chain, _shared_scales])
def test_what_many_nodes_share_is_not_read_again_by_each(make):
    data = make()
    began = time.process_time()
    describe(data)
    assert time.process_time() - began < 10


def _nested(depth: int) -> bytes:
    """Graphs in attributes of nodes of graphs."""
    contents = b""
    for _ in range(depth):
        contents = field(
            1, field(4, b"If") + field(5, field(1, b"then_branch") + field(6, contents))
        )
    return with_graph(contents)


def test_subgraphs_in_subgraphs_end_somewhere():
    assert len(read_network(_nested(MAX_DEPTH // 3 - 1)).subgraphs) == MAX_DEPTH // 3
    assert f"more than {MAX_DEPTH} deep" in refused(_nested(5000)).what


def test_a_flood_of_names_and_a_long_name_are_refused():
    flood = b"".join(field(13, field(1, str(n).encode() * 100)) for n in range(30_000))
    assert "structure takes more than" in refused(with_graph(flood)).what
    long = field(1, field(4, b"A" * (MAX_NAME_BYTES + 1)))
    assert f"more than {MAX_NAME_BYTES}" in refused(with_graph(long)).what


@pytest.mark.parametrize(
    ("nodes", "ends", "what"),
    [
        ([node(f"Kind{n}", "x", f"y{n}") for n in range(MAX_OPERATOR_KINDS + 1)], 1, "operators"),
        ([node("Sum", "x", "y")], MAX_ENDS + 1, "inputs"),
    ],
)
def test_more_kinds_and_ends_than_anything_could_run_are_refused(nodes, ends, what):
    inputs = [info("x", [1]), *(info(f"x{n}", [1]) for n in range(ends - 1))]
    assert re.search(rf"has \d+ .*{what}, more than", refused(file(nodes, inputs, [])).what)


def test_a_flood_of_empty_nodes_is_refused_soon():
    began = time.process_time()
    refused(with_graph(field(1, b"") * 1_000_000))
    assert time.process_time() - began < 20


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
    except FormatError as error:
        assert error.what
        assert error.where
        assert error.remedy


@settings(max_examples=300, derandomize=True, deadline=2000)
@given(st.binary(max_size=300))
def test_random_bytes(data):
    _only_format_errors(VERSION + data)
    _only_format_errors(with_graph(data))


@settings(
    max_examples=300,
    derandomize=True,
    deadline=3000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damaged_and_truncated_real_files(data_dir, data):
    good = data.draw(st.sampled_from(_real(data_dir)))
    cut = data.draw(st.integers(1, len(good)) | st.just(len(good)))
    _only_format_errors(_damaged(good, data.draw(_damage(len(good))))[:cut])


def _real(data_dir: Path) -> list[bytes]:
    """A real file, and its structure alone: without weights most damage hits names and numbers."""
    whole = (data_dir / "magic-wand/model.onnx").read_bytes()
    return [whole, GOOD, computed_shapes(), control_flow()]
