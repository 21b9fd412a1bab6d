"""Multiply-accumulates and parameters: what an operator computes, whatever computes it.

One multiply-accumulate (MAC) is one weight times one activation, added. Element-wise arithmetic,
pooling and copying count none; bias additions count none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from registry.formats.network import Network, Operator, Subgraph, Tensor

_Count = Callable[[Operator, Subgraph], int]


def network_macs(network: Network) -> int:
    """MACs of one run of the main subgraph. Bodies of loops and branches count once each."""
    return sum(
        operator_macs(operator, subgraph)
        for subgraph in network.subgraphs
        for operator in subgraph.operators
    )


def network_parameters(network: Network) -> int:
    """Weights and biases: the elements of all constant tensors that MAC operators read.

    A tensor that several operators share counts once.
    """
    return sum(tensor.elements for subgraph in network.subgraphs for tensor in _weights(subgraph))


def operator_macs(operator: Operator, subgraph: Subgraph) -> int:
    """MACs of one run of one operator; 0 for one that multiplies no weights."""
    count = _COUNTS.get(operator.name)
    return 0 if count is None else count(operator, subgraph)


def _weights(subgraph: Subgraph) -> list[Tensor]:
    used = {
        index
        for operator in subgraph.operators
        if operator.name in _COUNTS
        for index in operator.inputs
        if index >= 0 and subgraph.tensors[index].is_constant
    }
    return [subgraph.tensors[index] for index in sorted(used)]


def _input(operator: Operator, subgraph: Subgraph, position: int) -> Tensor | None:
    if position >= len(operator.inputs):
        return None
    return subgraph.tensor(operator.inputs[position])


def _output_elements(operator: Operator, subgraph: Subgraph) -> int:
    return subgraph.tensors[operator.outputs[0]].elements if operator.outputs else 0


def _convolution(operator: Operator, subgraph: Subgraph) -> int:
    """Each output element reads one filter: height x width x input channels of it."""
    weights = _input(operator, subgraph, 1)
    if weights is None or not weights.shape:
        return 0
    return _output_elements(operator, subgraph) * math.prod(weights.shape[1:])


def _convolution_3d(operator: Operator, subgraph: Subgraph) -> int:
    """The filter of a 3-D convolution has its output channels last."""
    weights = _input(operator, subgraph, 1)
    if weights is None or not weights.shape:
        return 0
    return _output_elements(operator, subgraph) * math.prod(weights.shape[:-1])


def _depthwise(operator: Operator, subgraph: Subgraph) -> int:
    """Each output element reads one channel's filter: height x width."""
    weights = _input(operator, subgraph, 1)
    if weights is None or len(weights.shape) != 4:
        return 0
    return _output_elements(operator, subgraph) * weights.shape[1] * weights.shape[2]


def _transpose_convolution(operator: Operator, subgraph: Subgraph) -> int:
    """Each input element meets every filter: inputs are (output shape, weights, input)."""
    weights, source = _input(operator, subgraph, 1), _input(operator, subgraph, 2)
    if weights is None or source is None or not weights.shape:
        return 0
    return source.elements * math.prod(weights.shape[:-1])


def _fully_connected(operator: Operator, subgraph: Subgraph) -> int:
    weights = _input(operator, subgraph, 1)
    if weights is None or not weights.shape:
        return 0
    return _output_elements(operator, subgraph) * weights.shape[-1]


def _batch_matmul(operator: Operator, subgraph: Subgraph) -> int:
    left = _input(operator, subgraph, 0)
    if left is None or len(left.shape) < 2:
        return 0
    depth = left.shape[-2] if operator.integer("adjoint_x") else left.shape[-1]
    return _output_elements(operator, subgraph) * depth


def _svdf(operator: Operator, subgraph: Subgraph) -> int:
    """Feature filters over the input, then time filters over their memory."""
    source = _input(operator, subgraph, 0)
    feature, time = _input(operator, subgraph, 1), _input(operator, subgraph, 2)
    if source is None or feature is None or time is None or not source.shape:
        return 0
    return source.shape[0] * (feature.elements + time.elements)


def _lstm(operator: Operator, subgraph: Subgraph) -> int:
    """Every step multiplies all input and recurrent weights (inputs 1 to 8) once, per batch."""
    source = _input(operator, subgraph, 0)
    if source is None or len(source.shape) < 2:
        return 0
    weights = [_input(operator, subgraph, position) for position in range(1, 9)]
    steps_and_batch = source.shape[0] * source.shape[1]
    return steps_and_batch * sum(w.elements for w in weights if w is not None)


_COUNTS: Mapping[str, _Count] = {
    "CONV_2D": _convolution,
    "CONV_3D": _convolution_3d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_convolution,
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _batch_matmul,
    "SVDF": _svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
