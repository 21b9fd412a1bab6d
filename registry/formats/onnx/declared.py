"""What a file itself says of its tensors' types and shapes, open lengths by their symbols.

The batch's symbols stand for one wherever they occur. Every other open length stays open.
"""

from __future__ import annotations

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


def declared_value(entry: Node, batch: frozenset[str], where: str) -> Value:
    """Type and shape as a ValueInfo says them. Raises FormatError for an impossible one."""
    kinds = entry.get("type", {})
    for kind in _TENSOR_KINDS:
        if kind in kinds:
            dtype = data_type(kinds[kind].get("elem_type", 0), f"{where}.type")
            if "shape" not in kinds[kind]:
                return Value(dtype)
            shape = tuple(_length(dim, batch) for dim in dimensions(entry))
            check_shape(shape, dtype, f"{where}.type.shape")
            return Value(dtype, shape)
    return Value(next((name for kind, name in _KINDS.items() if kind in kinds), UNDEFINED))


def dimensions(entry: Node) -> list[Node]:
    """The axes of a ValueInfo, none where it is no tensor or has no shape."""
    kinds = entry.get("type", {})
    tensor: Node = next((kinds[kind] for kind in _TENSOR_KINDS if kind in kinds), {})
    dims: list[Node] = tensor.get("shape", {}).get("dim", [])
    return dims


def is_open(dim: Node) -> bool:
    """Whether a length is open. Below zero is how some exporters say so."""
    return bool(dim.get("dim_value", -1) < 0)


def _length(dim: Node, batch: frozenset[str]) -> Dim:
    if not is_open(dim):
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
