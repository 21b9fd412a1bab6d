"""Multiply-accumulates of one operator of a .tflite file, from the shapes of its tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

from registry.footprint.operands import input_tensor, output_tensor
from registry.formats.network import Operator, Subgraph, Tensor

MacRule: TypeAlias = Callable[[Operator, Subgraph], int]


class UnknownMacs(Exception):
    """An operator multiplies, but how often does not follow from the file."""


def sized_input(operator: Operator, subgraph: Subgraph, position: int) -> Tensor:
    """An input whose shape is known. Raises UnknownMacs for another."""
    return _sized(input_tensor(operator, subgraph, position), operator)


def sized_output(operator: Operator, subgraph: Subgraph) -> Tensor:
    """The first output, if its shape is known. Raises UnknownMacs for another."""
    return _sized(output_tensor(operator, subgraph), operator)


def _sized(tensor: Tensor | None, operator: Operator) -> Tensor:
    if tensor is None or not tensor.is_sized:
        raise UnknownMacs(f"the shapes around {operator.name} are not known")
    return tensor


def weights_of_rank(
    operator: Operator, subgraph: Subgraph, position: int, rank: int
) -> tuple[int, ...]:
    """The shape of an input with at least so many axes. Raises UnknownMacs for another."""
    shape = sized_input(operator, subgraph, position).shape
    if len(shape) < rank:
        raise UnknownMacs(f"the shapes around {operator.name} are not known")
    return shape


def _convolution(operator: Operator, subgraph: Subgraph) -> int:
    """Each output element reads one filter: height x width x input channels of it."""
    weights = weights_of_rank(operator, subgraph, 1, 1)
    return sized_output(operator, subgraph).elements * math.prod(weights[1:])


def _convolution_3d(operator: Operator, subgraph: Subgraph) -> int:
    """The filter of a 3-D convolution has its output channels last."""
    weights = weights_of_rank(operator, subgraph, 1, 1)
    return sized_output(operator, subgraph).elements * math.prod(weights[:-1])


def _depthwise(operator: Operator, subgraph: Subgraph) -> int:
    """Each output element reads one channel's filter: height x width."""
    weights = weights_of_rank(operator, subgraph, 1, 4)
    return sized_output(operator, subgraph).elements * weights[1] * weights[2]


def _transpose_convolution(operator: Operator, subgraph: Subgraph) -> int:
    """Each input element meets every filter: inputs are (output shape, weights, input)."""
    weights = weights_of_rank(operator, subgraph, 1, 1)
    return sized_input(operator, subgraph, 2).elements * math.prod(weights[:-1])


def _fully_connected(operator: Operator, subgraph: Subgraph) -> int:
    weights = weights_of_rank(operator, subgraph, 1, 1)
    return sized_output(operator, subgraph).elements * weights[-1]


def _batch_matmul(operator: Operator, subgraph: Subgraph) -> int:
    left = weights_of_rank(operator, subgraph, 0, 2)
    depth = left[-2] if operator.integer("adjoint_x") else left[-1]
    return sized_output(operator, subgraph).elements * depth


def _svdf(operator: Operator, subgraph: Subgraph) -> int:
    """Feature filters over the input, then time filters over their memory."""
    source = weights_of_rank(operator, subgraph, 0, 1)
    feature = sized_input(operator, subgraph, 1)
    return source[0] * (feature.elements + sized_input(operator, subgraph, 2).elements)


def _lstm(operator: Operator, subgraph: Subgraph) -> int:
    """Every step multiplies all input and recurrent weights (inputs 1 to 8) once, per batch."""
    source = weights_of_rank(operator, subgraph, 0, 2)
    weights = [input_tensor(operator, subgraph, position) for position in range(1, 9)]
    return source[0] * source[1] * sum(w.elements for w in weights if w is not None)


TFLITE_RULES: Mapping[str, MacRule] = {
    "CONV_2D": _convolution,
    "CONV_3D": _convolution_3d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_convolution,
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _batch_matmul,
    "SVDF": _svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}

# Operators that multiply weights, for which there is no rule.
TFLITE_UNCOUNTED = frozenset(
    [
        "LSTM",
        "RNN",
        "UNIDIRECTIONAL_SEQUENCE_RNN",
        "BIDIRECTIONAL_SEQUENCE_RNN",
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        "CONV_3D_TRANSPOSE",
        "DELEGATE",
        "STABLEHLO_CONVOLUTION",
        "STABLEHLO_DOT_GENERAL",
        "STABLEHLO_CUSTOM_CALL",
    ]
)
# Custom operators of TFLite Micro that multiply none.
TFLITE_CUSTOM_WITHOUT = frozenset({"CUSTOM:CIRCULAR_BUFFER", "CUSTOM:TFLite_Detection_PostProcess"})
