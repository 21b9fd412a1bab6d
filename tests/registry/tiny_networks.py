"""Networks that are written field by field, for tests that need no file from outside."""

from __future__ import annotations

import struct
from typing import Any

from registry.formats.flatbuffer_writer import FlatbufferWriter
from registry.formats.tflite_model import MODEL

INT32, INT8 = 2, 9
FULLY_CONNECTED, CUSTOM, ADD, WHILE = 9, 32, 0, 119


def write(tree: dict[str, Any]) -> bytes:
    """A .tflite file with these fields."""
    return FlatbufferWriter(1 << 24).write(MODEL, tree, b"TFL3")


def tensor(name: str, shape: tuple[int, ...], dtype: int = INT8, **more: Any) -> dict[str, Any]:
    """A quantized tensor with scale 1/8 and zero point 0."""
    quantization = {"scale": (0.125,), "zero_point": (0,), "min": (-16.0,), "max": (15.875,)}
    return {"name": name, "shape": shape, "type": dtype, "quantization": quantization, **more}


def dense_tree(features: int = 4, classes: int = 3) -> dict[str, Any]:
    """An int8 fully connected layer with all the names that a converter writes."""
    weights = bytes((3 * index) % 251 for index in range(classes * features))
    bias = struct.pack(f"<{classes}i", *range(classes))
    return {
        "version": 3,
        "description": "made for a test",
        "operator_codes": [
            {
                "deprecated_builtin_code": FULLY_CONNECTED,
                "builtin_code": FULLY_CONNECTED,
                "version": 4,
            }
        ],
        "buffers": [{}, {"data": weights}, {"data": bias}, {"data": b"1.14.0"}],
        "metadata": [{"name": "min_runtime_version", "buffer": 3}],
        "signature_defs": [
            {
                "signature_key": "serving_default",
                "inputs": [{"name": "features", "tensor_index": 0}],
                "outputs": [{"name": "logits", "tensor_index": 3}],
            }
        ],
        "subgraphs": [
            {
                "name": "main",
                "tensors": [
                    tensor("the_input", (1, features)),
                    tensor("the_weights", (classes, features), buffer=1),
                    tensor("the_bias", (classes,), INT32, buffer=2),
                    tensor("the_output", (1, classes)),
                ],
                "inputs": (0,),
                "outputs": (3,),
                "operators": [
                    {
                        "inputs": (0, 1, 2),
                        "outputs": (3,),
                        "builtin_options_type": 8,
                        "builtin_options": {"activation": 1},
                    }
                ],
            }
        ],
    }


def dense(features: int = 4, classes: int = 3) -> bytes:
    """`dense_tree` as a file."""
    return write(dense_tree(features, classes))


def custom(name: str) -> bytes:
    """The dense layer, but its operator is one that no schema knows."""
    tree = dense_tree()
    tree["operator_codes"] = [{"deprecated_builtin_code": CUSTOM, "custom_code": name}]
    del tree["subgraphs"][0]["operators"][0]["builtin_options"]
    del tree["subgraphs"][0]["operators"][0]["builtin_options_type"]
    return write(tree)


def shared_tables(subgraphs: int, tensors: int) -> bytes:
    """A file in which every subgraph is the same one and every tensor of it too.

    A few kilobytes of offsets, but `subgraphs * tensors` tables for a reader that follows each.
    """
    out = bytearray(8) + struct.pack("<5H2x", 10, 12, 4, 0, 8)
    model = len(out)
    out += struct.pack("<iII", model - 8, 3, 4) + _vector(subgraphs)
    many, vtable = len(out) - 4 * subgraphs, len(out)
    out += struct.pack("<3H2x", 6, 8, 4)
    subgraph = len(out)
    out += struct.pack("<iI", subgraph - vtable, 4) + _vector(tensors)
    inner, vtable = len(out) - 4 * tensors, len(out)
    out += struct.pack("<2H", 4, 4)
    leaf = len(out)
    out += struct.pack("<i", leaf - vtable)
    for first, count, target in ((many, subgraphs, subgraph), (inner, tensors, leaf)):
        for place in range(first, first + 4 * count, 4):
            struct.pack_into("<I", out, place, target - place)
    out[:8] = struct.pack("<I", model) + b"TFL3"
    return bytes(out)


def _vector(count: int) -> bytes:
    return struct.pack("<I", count) + bytes(4 * count)
