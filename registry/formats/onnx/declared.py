"""What a file itself says of its tensors' types and shapes, open lengths by their symbols.

The first axis of a network's input is its batch: where the file leaves it open it is one, and so is
the same symbol wherever it occurs. Every other open length stays open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from registry.formats.network import UNDEFINED
from registry.formats.onnx.tensors import check_shape, data_type
from registry.formats.onnx.values import Dim, Value
from registry.formats.tree import Node

_KINDS = {
    "sequence_type": "SEQUENCE",
    "map_type": "MAP",
    "optional_type": "OPTIONAL",
    "opaque_type": "OPAQUE",
}
_TENSOR_KINDS = ("tensor_type", "sparse_tensor_type")
_BATCH_NAMES = {"n", "b", "bs"}


def batch_symbols(inputs: Iterable[Node]) -> frozenset[str]:
    """The symbols that stand for the batch: first axes of inputs, and those that are named so."""
    found = set()
    for entry in inputs:
        symbols = [dim.get("dim_param", "") for dim in _dimensions(entry)]
        found |= set(symbols[:1]) | {name for name in symbols if _says_batch(name)}
    return frozenset(found - {""})


def _says_batch(symbol: str) -> bool:
    return symbol.lower() in _BATCH_NAMES or "batch" in symbol.lower()


def declared_value(entry: Node, batch: frozenset[str], where: str) -> Value:
    """Type and shape as a ValueInfo says them. Raises FormatError for an impossible one."""
    kinds = entry.get("type", {})
    for kind in _TENSOR_KINDS:
        if kind in kinds:
            dtype = data_type(kinds[kind].get("elem_type", 0), f"{where}.type")
            if "shape" not in kinds[kind]:
                return Value(dtype)
            shape = tuple(_length(dim, batch) for dim in _dimensions(entry))
            check_shape(shape, dtype, f"{where}.type.shape")
            return Value(dtype, shape)
    return Value(next((name for kind, name in _KINDS.items() if kind in kinds), UNDEFINED))


def input_value(entry: Node, batch: frozenset[str], where: str) -> Value:
    """The same for a network's own input, whose first axis is one where it is open."""
    value = declared_value(entry, batch, where)
    if value.shape and value.shape[0] is None:
        return replace(value, shape=(1, *value.shape[1:]))
    return value


def _dimensions(entry: Node) -> list[Node]:
    kinds = entry.get("type", {})
    tensor: Node = next((kinds[kind] for kind in _TENSOR_KINDS if kind in kinds), {})
    dims: list[Node] = tensor.get("shape", {}).get("dim", [])
    return dims


def _length(dim: Node, batch: frozenset[str]) -> Dim:
    """Below zero is how some exporters say that a length is open."""
    if dim.get("dim_value", -1) >= 0:
        return int(dim["dim_value"])
    return 1 if dim.get("dim_param", "") in batch else None


def completed(inferred: Value, declared: Value | None) -> Value:
    """What the rules found, with what the file says where they found nothing."""
    if declared is None:
        return inferred
    dtype = declared.dtype if inferred.dtype == UNDEFINED else inferred.dtype
    return replace(inferred, dtype=dtype, shape=_completed_shape(inferred, declared))


def _completed_shape(inferred: Value, declared: Value) -> tuple[Dim, ...] | None:
    first, second = inferred.shape, declared.shape
    if first is None or second is None or len(first) != len(second):
        return second if first is None else first
    return tuple(b if a is None else a for a, b in zip(first, second, strict=True))
