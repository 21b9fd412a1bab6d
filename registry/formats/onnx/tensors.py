"""Constants as an ONNX file holds them: raw, or in one of five fields by their type."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.formats.errors import FormatError
from registry.formats.network import DTYPE_BITS, UNDEFINED
from registry.formats.onnx.schema import DATA_TYPES
from registry.formats.onnx.values import MAX_FOLDED, Number, Shape, Value
from registry.formats.protobuf_reader import unpack_varints
from registry.formats.tree import Node

MAX_RANK = 16
# What the int32 sizes of runtimes for microcontrollers can hold.
MAX_TENSOR_BYTES = 2**31 - 1
_DAMAGED = "Export the model again or fetch the file again; this one is damaged."

# How one element is written, as a struct letter, where it has a whole number of bytes.
_CODES: Mapping[str, str] = {
    "FLOAT32": "f",
    "FLOAT64": "d",
    "FLOAT16": "e",
    "INT8": "b",
    "UINT8": "B",
    "INT16": "h",
    "UINT16": "H",
    "INT32": "i",
    "UINT32": "I",
    "INT64": "q",
    "UINT64": "Q",
    "BOOL": "?",
}
# Widths in bytes to which a number in `int32_data` is cut, by type; one byte for the others.
_CUT = {"INT32": 4, "INT16": 2, "UINT16": 2, "FLOAT16": 2, "BFLOAT16": 2}


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor whose contents stand in the file; of a sparse one only the values that are there."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview
    is_sparse: bool = False

    def numbers(self) -> tuple[Number, ...]:
        """All elements, flat; empty for a type that struct cannot read and for a sparse one."""
        code = _CODES.get(self.dtype)
        if code is None or self.is_sparse:
            return ()
        return struct.unpack(f"<{math.prod(self.shape)}{code}", self.data)

    def value(self) -> Value:
        """What shape rules see of it."""
        small = math.prod(self.shape) <= MAX_FOLDED and self.dtype in _CODES
        numbers = self.numbers() if small and not self.is_sparse else None
        return Value(self.dtype, self.shape, numbers)


def data_type(number: int, where: str) -> str:
    """A type's name; UNDEFINED for 0. Raises FormatError for a number that ONNX does not have."""
    if number == 0:
        return UNDEFINED
    if number not in DATA_TYPES:
        raise FormatError(f"the tensor type {number} is not known", where, _DAMAGED)
    return DATA_TYPES[number]


def check_shape(shape: Shape, dtype: str, where: str) -> None:
    """FormatError for a shape that no 32-bit machine can address."""
    if len(shape) > MAX_RANK:
        raise FormatError(f"{len(shape)} dimensions, more than {MAX_RANK}", where, _DAMAGED)
    # An open length counts as one: the others alone may be too much.
    elements = math.prod(1 if n is None else n for n in shape)
    if elements * DTYPE_BITS.get(dtype, 8) // 8 > MAX_TENSOR_BYTES:
        raise FormatError(
            f"the shape {list(shape)} takes more than {MAX_TENSOR_BYTES} bytes",
            where,
            "Bring a network whose tensors a 32-bit machine can address.",
        )


def read_constant(node: Node, where: str) -> Constant:
    """A tensor of the file with its contents.

    Raises FormatError for contents that lie in another file or do not fill the shape.
    """
    if node.get("external_data") or node.get("data_location", 0) == 1:
        raise FormatError(
            f"the contents of {node.get('name', '')!r} lie in another file",
            where,
            "Import it with manage.py import_model, which takes files beside it along, or save"
            " it as one file: onnx.save(onnx.load(path), path).",
        )
    if "segment" in node:
        raise FormatError("the tensor is cut into segments", where, _DAMAGED)
    dtype = data_type(node.get("data_type", 0), f"{where}.data_type")
    shape = _dimensions(node.get("dims", ()), dtype, f"{where}.dims")
    constant = Constant(dtype, shape, _contents(node, dtype))
    _check_length(constant, where)
    return constant


def read_sparse(node: Node, where: str) -> tuple[str, Constant]:
    """A sparse tensor's name and what the file holds of it."""
    values = read_constant(node.get("values", {}), f"{where}.values")
    shape = _dimensions(node.get("dims", ()), values.dtype, f"{where}.dims")
    name = node.get("values", {}).get("name", "")
    return name, Constant(values.dtype, shape, values.data, is_sparse=True)


def _dimensions(dims: Sequence[int], dtype: str, where: str) -> tuple[int, ...]:
    if any(length < 0 for length in dims):
        raise FormatError(f"the shape {list(dims)} has a dimension below zero", where, _DAMAGED)
    check_shape(tuple(dims), dtype, where)
    return tuple(dims)


def _contents(node: Node, dtype: str) -> memoryview:
    """The elements in little-endian order without gaps, however the file has them."""
    if "raw_data" in node:
        raw: memoryview = node["raw_data"]
        return raw
    if node.get("string_data"):
        return memoryview(b"".join(node["string_data"]))
    floats = b"".join([*node.get("float_data", ()), *node.get("double_data", ())])
    width = {"UINT64": 8, "UINT32": 4, "INT64": 8}.get(dtype, _CUT.get(dtype, 1))
    mask = (1 << 8 * width) - 1
    integers = [
        (number & mask).to_bytes(width, "little")
        for name in ("int32_data", "int64_data", "uint64_data")
        for number in unpack_varints(memoryview(b"".join(node.get(name, ()))))
    ]
    return memoryview(floats + b"".join(integers))


def _check_length(constant: Constant, where: str) -> None:
    bits = DTYPE_BITS.get(constant.dtype)
    if bits is None:
        return
    needed = (math.prod(constant.shape) * bits + 7) // 8
    if len(constant.data) != needed:
        raise FormatError(
            f"its shape needs {needed} bytes and {len(constant.data)} are there", where, _DAMAGED
        )
