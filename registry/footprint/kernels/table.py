"""Which model stands for which operator."""

from __future__ import annotations

from collections.abc import Mapping

from registry.footprint.kernels.convolution import convolution, depthwise, transpose_convolution
from registry.footprint.kernels.dense import batch_matmul, fully_connected, lstm, svdf
from registry.footprint.kernels.need import KernelModel, KernelNeed, Node, UnmodelledNode
from registry.footprint.kernels.simple import average_pool, fixed, max_pool, mean_or_sum, softmax
from registry.formats.network import Operator, Subgraph

KERNEL_SETS = ("cmsis_nn", "reference")

_MODELS: Mapping[str, KernelModel] = {
    "ADD": fixed((2, 1), 60, inputs=2),
    "AVERAGE_POOL_2D": average_pool,
    "BATCH_MATMUL": batch_matmul,
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "DEQUANTIZE": fixed(state=32),
    "FULLY_CONNECTED": fully_connected,
    "LOGISTIC": fixed(state=16),
    "MAX_POOL_2D": max_pool,
    "MEAN": mean_or_sum,
    "PAD": fixed(state=56, inputs=3),
    "QUANTIZE": fixed(state=32),
    "RESHAPE": fixed((36, 4), inputs=2),
    "RESIZE_NEAREST_NEIGHBOR": fixed((2, 1), inputs=2),
    "SOFTMAX": softmax,
    "SUM": mean_or_sum,
    "SVDF": svdf,
    "TRANSPOSE": fixed(inputs=2),
    "TRANSPOSE_CONV": transpose_convolution,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
}


def kernel_need(operator: Operator, graph: Subgraph, kernels: str) -> KernelNeed:
    """What the operator's kernel of that set asks of the arena.

    Raises UnmodelledNode where that is not known, ValueError for an unknown kernel set.
    """
    if kernels not in KERNEL_SETS:
        raise ValueError(f"kernels are one of {', '.join(KERNEL_SETS)}, not {kernels!r}")
    model = _MODELS.get(operator.name)
    if model is None:
        raise UnmodelledNode(f"{operator.name} is not modelled")
    return model(Node(operator, graph, kernels == "cmsis_nn"))


def modelled_operators() -> frozenset[str]:
    """The operators whose need is known."""
    return frozenset(_MODELS)
