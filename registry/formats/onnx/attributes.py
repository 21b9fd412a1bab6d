"""A node's attributes as values: numbers, texts, tuples of them, constants."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

from registry.formats.network import OptionValue
from registry.formats.onnx.tensors import Constant, read_constant, read_sparse
from registry.formats.onnx.values import Value
from registry.formats.tflite_names import text
from registry.formats.tree import Node

# AttributeProto.AttributeType by number: the field that holds the value. Files of the first IR
# versions leave the type out; then the field that is there speaks.
_FIELDS = {
    1: "f",
    2: "i",
    3: "s",
    4: "t",
    6: "floats",
    7: "ints",
    8: "strings",
    11: "sparse_tensor",
}
# Of a Constant node: attributes that stand for a tensor of one axis or none.
_CONSTANTS: Mapping[str, tuple[str, str, type]] = {
    "value_float": ("FLOAT32", "f", float),
    "value_floats": ("FLOAT32", "f", float),
    "value_int": ("INT64", "q", int),
    "value_ints": ("INT64", "q", int),
}


def attribute_values(node: Node, where: str) -> dict[str, Any]:
    """Name to number, text, tuple or Constant; subgraphs are left out.

    Raises FormatError for a constant that is damaged or lies in another file.
    """
    values: dict[str, Any] = {}
    for index, attribute in enumerate(node.get("attribute", ())):
        field = _FIELDS.get(attribute.get("type", 0)) or _present(attribute)
        if field:
            name = text(attribute.get("name", ""))
            values[name] = _value(attribute, field, f"{where}.attribute[{index}]")
    return values


def _present(attribute: Node) -> str:
    return next((field for field in _FIELDS.values() if field in attribute), "")


def _value(attribute: Node, field: str, where: str) -> Any:
    match field:
        case "t":
            return read_constant(attribute.get("t", {}), f"{where}.t")
        case "sparse_tensor":
            return read_sparse(attribute.get("sparse_tensor", {}), f"{where}.sparse_tensor")[1]
        case "s":
            return _text(attribute.get("s", b""))
        case "strings":
            return tuple(_text(octets) for octets in attribute.get("strings", ()))
        case "f":
            return float(attribute.get("f", 0.0))
        case "i":
            return int(attribute.get("i", 0))
        case _:
            return tuple(attribute.get(field, ()))


def _text(octets: memoryview | bytes) -> str:
    return text(bytes(octets).decode("utf-8", "surrogateescape"))


def constant_of(attributes: Mapping[str, Any]) -> tuple[Value, Constant | None]:
    """What a Constant node gives: its value, and its contents where the file has them whole."""
    for name in ("value", "sparse_value"):
        if isinstance(attributes.get(name), Constant):
            constant: Constant = attributes[name]
            return constant.value(), constant
    for name, (dtype, code, kind) in _CONSTANTS.items():
        numbers = attributes.get(name)
        if isinstance(numbers, tuple) and all(isinstance(n, kind) for n in numbers):
            listed = _packed(numbers, dtype, code, (len(numbers),))
            return listed.value(), listed
        if isinstance(numbers, kind):
            single = _packed((numbers,), dtype, code, ())
            return single.value(), single
    if isinstance(attributes.get("value_strings"), tuple):
        return Value("STRING", (len(attributes["value_strings"]),)), None
    return Value("STRING", ()) if "value_string" in attributes else Value(), None


def _packed(numbers: tuple[Any, ...], dtype: str, code: str, shape: tuple[int, ...]) -> Constant:
    return Constant(dtype, shape, memoryview(struct.pack(f"<{len(numbers)}{code}", *numbers)))


def options_of(attributes: Mapping[str, Any]) -> dict[str, OptionValue]:
    """The attributes that a description can show; numbers that JSON cannot hold are left out."""
    return {name: value for name, value in attributes.items() if _is_option(value)}


def _is_option(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(isinstance(item, (int, float)) and math.isfinite(item) for item in value)
    return isinstance(value, str) or (isinstance(value, (int, float)) and math.isfinite(value))
