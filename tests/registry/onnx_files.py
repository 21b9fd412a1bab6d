"""ONNX files that are written node by node, with the library of ONNX itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper
from onnx import numpy_helper as arrays

FLOAT = TensorProto.FLOAT


def info(name: str, shape: Sequence[int | str | None] | None, dtype: int = FLOAT) -> ValueInfoProto:
    """What a file says of a tensor; a text is a symbol, None an open length."""
    return helper.make_tensor_value_info(name, dtype, shape)


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> NodeProto:
    """A node; names of inputs and outputs are separated by blanks, `_` is one left out."""
    names = [["" if name == "_" else name for name in text.split()] for text in (inputs, outputs)]
    return helper.make_node(operator, *names, **attributes)


def graph(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto] = (),
    outputs: Sequence[ValueInfoProto] = (),
    constants: Mapping[str, Any] | None = None,
) -> GraphProto:
    """A graph; constants are numpy arrays by name."""
    held = [arrays.from_array(np.asarray(a), name) for name, a in (constants or {}).items()]
    return helper.make_graph(nodes, "net", inputs, outputs, held)


def model(*parts: Any, opset: int = 17, **more: Any) -> ModelProto:
    """A model around `graph(*parts)`."""
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph(*parts), opset_imports=opsets, ir_version=9, **more)


def file(*parts: Any, opset: int = 17) -> bytes:
    """`model` as a file."""
    return model(*parts, opset=opset).SerializeToString()


def dense(features: int = 4, classes: int = 3) -> bytes:
    """A fully connected layer."""
    weights = np.ones((classes, features), np.float32)
    return file(
        [node("Gemm", "x w b", "y", transB=1)],
        [info("x", ["batch", features])],
        [info("y", ["batch", classes])],
        {"w": weights, "b": np.zeros(classes, np.float32)},
    )


def varint(value: int) -> bytes:
    """A number as a protocol buffer has it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, contents: bytes | int) -> bytes:
    """A field: a number, or contents with their length."""
    if isinstance(contents, int):
        return varint(number << 3) + varint(contents)
    return varint(number << 3 | 2) + varint(len(contents)) + contents


def computed_shapes() -> bytes:
    """Shapes that are computed, and quantized tensors."""
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n", axis=0),
        node("Concat", "n rest", "t", axis=0),
        node("Reshape", "x t", "r"),
        node("QuantizeLinear", "r scale", "q"),
        node("DequantizeLinear", "q scale", "d"),
        node("Slice", "d zero two axis", "c"),
        node("Einsum", "c c", "y", equation="ij,kj->ik"),
    ]
    held = {
        "zero": np.array([0]),
        "rest": np.array([-1]),
        "two": np.array([2]),
        "axis": np.array([1]),
        "scale": np.float32(0.5),
    }
    return file(nodes, [info("x", ["n", 3, 4])], [info("y", None)], held)


def control_flow() -> bytes:
    """A loop and a recurrent layer behind it."""
    body = graph(
        [node("Identity", "go", "on"), node("Add", "s x", "t")],
        [info("i", [], TensorProto.INT64), info("go", [], TensorProto.BOOL), info("s", None)],
        [info("on", None, TensorProto.BOOL), info("t", None)],
    )
    nodes = [node("Loop", "n _ x", "last", body=body), node("LSTM", "last w r", "y", hidden_size=2)]
    held = {"n": np.array(5), "w": np.ones((1, 8, 4), "f"), "r": np.ones((1, 8, 2), "f")}
    return file(nodes, [info("x", [3, 1, 4])], [info("y", None)], held)
