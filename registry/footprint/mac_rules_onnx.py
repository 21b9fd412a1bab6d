"""Multiply-accumulates of one operator of a .onnx file, from the shapes of its tensors.

Operators of `com.microsoft` are those that onnxruntime's quantization and fusion write.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from registry.footprint.mac_rules import (
    MacRule,
    UnknownMacs,
    sized_input,
    sized_output,
    weights_of_rank,
)
from registry.formats.network import Operator, Subgraph
from registry.formats.onnx.products import labels_of

_MICROSOFT = "com.microsoft."


def _convolution(weights_at: int) -> MacRule:
    """Each output element reads one filter: input channels of its group x the kernel's places."""

    def rule(operator: Operator, subgraph: Subgraph) -> int:
        weights = weights_of_rank(operator, subgraph, weights_at, 3)
        return sized_output(operator, subgraph).elements * math.prod(weights[1:])

    return rule


def _transposed_convolution(operator: Operator, subgraph: Subgraph) -> int:
    """Each input element meets every filter of its group."""
    weights = weights_of_rank(operator, subgraph, 1, 3)
    return sized_input(operator, subgraph, 0).elements * math.prod(weights[1:])


def _matrix_product(operator: Operator, subgraph: Subgraph) -> int:
    """Each output element is a row of the left times a column of the right."""
    left = weights_of_rank(operator, subgraph, 0, 1)
    return sized_output(operator, subgraph).elements * left[-1]


def _gemm(operator: Operator, subgraph: Subgraph) -> int:
    left = weights_of_rank(operator, subgraph, 0, 2)
    depth = left[0] if operator.integer("transA") else left[1]
    return sized_output(operator, subgraph).elements * depth


def _fused_product(operator: Operator, subgraph: Subgraph) -> int:
    left = weights_of_rank(operator, subgraph, 0, 2)
    depth = left[-2] if operator.integer("transA") else left[-1]
    return sized_output(operator, subgraph).elements * depth


def _packed_product(operator: Operator, subgraph: Subgraph) -> int:
    """MatMulNBits: the packed weights are N x K, whatever their bits."""
    rows = math.prod(weights_of_rank(operator, subgraph, 0, 1)[:-1])
    return rows * operator.integer("K") * operator.integer("N")


def _recurrence(operator: Operator, subgraph: Subgraph) -> int:
    """Every step multiplies all input and recurrent weights once, per batch."""
    source = weights_of_rank(operator, subgraph, 0, 3)
    weights = sized_input(operator, subgraph, 1).elements
    return source[0] * source[1] * (weights + sized_input(operator, subgraph, 2).elements)


def _einsum(operator: Operator, subgraph: Subgraph) -> int:
    """Two operands: one product for each combination of their letters; one: none."""
    equation = operator.options.get("equation", "")
    parsed = labels_of(equation) if isinstance(equation, str) else None
    if parsed is None or len(parsed[0]) != len(operator.inputs) or len(parsed[0]) > 2:
        raise UnknownMacs(f"how often Einsum {equation!r} multiplies is not known")
    lengths: dict[str, int] = {}
    for position, labels in enumerate(parsed[0]):
        lengths |= zip(labels, sized_input(operator, subgraph, position).shape, strict=False)
    return math.prod(lengths.values()) if len(parsed[0]) == 2 else 0


def _attention(operator: Operator, subgraph: Subgraph) -> int:
    """Queries times keys, and the weights of that times values, for each head."""
    query = weights_of_rank(operator, subgraph, 0, 3)
    key = weights_of_rank(operator, subgraph, 1, len(query))
    output = sized_output(operator, subgraph)
    if len(operator.inputs) > 4 and operator.inputs[4] >= 0:
        raise UnknownMacs("how much Attention reads from its cache is not known")
    return key[-2] * (math.prod(query) + output.elements)


ONNX_RULES: Mapping[str, MacRule] = {
    **dict.fromkeys(("Conv", "ConvInteger", "DeformConv"), _convolution(1)),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed_convolution,
    "Gemm": _gemm,
    **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul"), _matrix_product),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrence),
    "Einsum": _einsum,
    "Attention": _attention,
    f"{_MICROSOFT}FusedConv": _convolution(1),
    f"{_MICROSOFT}FusedMatMul": _fused_product,
    f"{_MICROSOFT}FusedGemm": _gemm,
    f"{_MICROSOFT}QGemm": _gemm,
    f"{_MICROSOFT}MatMulNBits": _packed_product,
    f"{_MICROSOFT}DynamicQuantizeMatMul": _matrix_product,
    f"{_MICROSOFT}MatMulIntegerToFloat": _matrix_product,
}

# Operators that multiply weights, for which there is no rule.
ONNX_UNCOUNTED = frozenset({"FlexAttention", "LinearAttention", "CausalConvWithState"})
# Operators outside ONNX's own set that multiply none.
ONNX_FOREIGN_WITHOUT = frozenset(
    _MICROSOFT + name
    for name in [
        "QuantizeLinear",
        "DequantizeLinear",
        "QLinearAdd",
        "QLinearMul",
        "QLinearConcat",
        "QLinearAveragePool",
        "QLinearGlobalAveragePool",
        "QLinearSigmoid",
        "QLinearLeakyRelu",
        "QLinearSoftmax",
        "QLinearReduceMean",
        "BiasGelu",
        "Gelu",
        "FastGelu",
        "QuickGelu",
        "SkipLayerNormalization",
        "SimplifiedLayerNormalization",
    ]
)

# Where weights and biases stand; the other operators have nothing else among their inputs.
ONNX_WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "QLinearConv": (0, 3, 8),
    "QLinearMatMul": (0, 3),
    "ConvInteger": (0, 1),
    "MatMulInteger": (0, 1),
    "DeformConv": (0, 1, 3),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (1, 2, 3, 7)),
    f"{_MICROSOFT}QGemm": (0, 3, 6),
    f"{_MICROSOFT}DynamicQuantizeMatMul": (0, 1, 4),
    f"{_MICROSOFT}MatMulIntegerToFloat": (0, 1, 6),
    f"{_MICROSOFT}MatMulNBits": (0, 1, 5),
}
