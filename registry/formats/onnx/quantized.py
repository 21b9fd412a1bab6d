"""Where an ONNX network says what its whole numbers stand for.

Either a pair of QuantizeLinear and DequantizeLinear stands around each tensor (QDQ), or the
operators themselves take scales and zero points (QOperator).
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from registry.formats.network import Quantization
from registry.formats.onnx.scope import Scope
from registry.formats.onnx.values import Number, Value

_OUTPUT = -1


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the quantized tensor, its scale and its zero point stand; -1 is the first output.

    `axis` is the one along which several scales go, where the operator fixes it.
    """

    tensor: int
    scale: int
    zero_point: int
    axis: int = 0


_UNARY = (_Place(0, 1, 2), _Place(_OUTPUT, 3, 4))
_BINARY = (_Place(0, 1, 2), _Place(3, 4, 5), _Place(_OUTPUT, 6, 7))

_PLACES: Mapping[str, tuple[_Place, ...]] = {
    "QuantizeLinear": (_Place(_OUTPUT, 1, 2),),
    "DequantizeLinear": (_Place(0, 1, 2),),
    "QLinearConv": _BINARY,
    "QLinearMatMul": (_Place(0, 1, 2), _Place(3, 4, 5, axis=-1), _Place(_OUTPUT, 6, 7)),
    "QLinearAdd": _BINARY,
    "QLinearMul": _BINARY,
    "QGemm": (_Place(0, 1, 2), _Place(3, 4, 5), _Place(_OUTPUT, 7, 8)),
    "QLinearAveragePool": _UNARY,
    "QLinearGlobalAveragePool": _UNARY,
    "QLinearSigmoid": _UNARY,
    "QLinearLeakyRelu": _UNARY,
    "QLinearSoftmax": _UNARY,
}


def note_quantization(
    scope: Scope, operator: str, inputs: Sequence[str], outputs: Sequence[str], axis: int
) -> None:
    """Record at the tensors what a node says of their scales and zero points.

    Scales that are computed while the network runs, or are no numbers, leave nothing.
    """
    name = operator.rpartition(".")[2]
    for place in _PLACES.get(name, ()):
        tensor = _at(outputs, 0) if place.tensor == _OUTPUT else _at(inputs, place.tensor)
        scale, zero_point = _at(inputs, place.scale), _at(inputs, place.zero_point)
        scales = _scales(scope, scale)
        if not tensor or not scales:
            continue
        zeros = _zero_points(scope, zero_point, scale, len(scales))
        along = axis if name in {"QuantizeLinear", "DequantizeLinear"} else place.axis
        dimension = _counted(along, scope.value(tensor)) if len(scales) > 1 else 0
        scope.quantize(tensor, Quantization(scales, zeros, dimension))


def _scales(scope: Scope, name: str) -> tuple[float, ...]:
    """None at all unless each is a finite number."""
    key = (name, "scales")
    if key not in scope.decoded:
        found = tuple(map(float, _numbers(scope, name)))
        scope.decoded[key] = found if all(map(math.isfinite, found)) else ()
    return scope.decoded[key]


def _zero_points(scope: Scope, name: str, scale: str, count: int) -> tuple[int, ...]:
    """One that is left out is zero."""
    key = (name or scale, "zero points" if name else "zeros")
    if key not in scope.decoded:
        found = tuple(n for n in _numbers(scope, name) if isinstance(n, int))
        scope.decoded[key] = found or (0,) * count
    return cast("tuple[int, ...]", scope.decoded[key])


def _at(names: Sequence[str], position: int) -> str:
    return names[position] if position < len(names) else ""


def _counted(axis: int, value: Value) -> int:
    rank = len(value.shape or ())
    return axis % rank if -rank <= axis < rank else 0


def _numbers(scope: Scope, name: str) -> Iterator[Number]:
    """A constant's numbers, whether it is an initializer or comes of a Constant node."""
    constant = scope.constant(name) if name else None
    if constant is not None:
        return iter(constant.numbers())
    numbers = scope.value(name).numbers if name else None
    return (n for n in numbers or () if n is not None)
