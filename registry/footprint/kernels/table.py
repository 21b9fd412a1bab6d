"""Which model stands for which operator of TFLite Micro's set.

`fixed` names, in this order, the bytes and alignment of the options struct, the bytes of the
kernel's state, and how many inputs and outputs the kernel looks at while it prepares.
"""

from __future__ import annotations

from collections.abc import Mapping

from registry.footprint.kernels.convolution import convolution, depthwise, transpose_convolution
from registry.footprint.kernels.dense import batch_matmul, fully_connected, lstm, svdf
from registry.footprint.kernels.need import KernelModel, KernelNeed, Node, UnmodelledNode
from registry.footprint.kernels.shaping import (
    add_n,
    concatenation,
    embedding_lookup,
    mean_or_sum,
    mirror_pad,
    reduction,
    reshape,
    reshaping,
)
from registry.footprint.kernels.simple import (
    average_pool,
    branch,
    fixed,
    max_pool,
    select,
    softmax,
    with_quantized_data,
)
from registry.formats.network import Operator, Subgraph

KERNEL_SETS = ("cmsis_nn", "reference")

_NOTHING = fixed(inputs=0, outputs=0)
_COMPARISON = fixed(state=32, inputs=2, outputs=0)

MODELS: Mapping[str, KernelModel] = {
    "ABS": fixed(state=20),
    "ADD": fixed((2, 1), 60, inputs=2),
    "ADD_N": add_n,
    "ARG_MAX": fixed((1, 1), inputs=0, outputs=0),
    "ARG_MIN": fixed((1, 1), inputs=0, outputs=0),
    "AVERAGE_POOL_2D": average_pool,
    "BATCH_MATMUL": batch_matmul,
    "BATCH_TO_SPACE_ND": fixed(),
    "BROADCAST_ARGS": fixed(inputs=2),
    "BROADCAST_TO": fixed(inputs=2),
    "CALL_ONCE": fixed((4, 4), 8, inputs=0, outputs=0),
    "CAST": fixed((2, 1)),
    "CEIL": fixed(),
    "CONCATENATION": concatenation,
    "CONV_2D": convolution,
    "COS": fixed(),
    "CUMSUM": with_quantized_data(36, (2, 1), inputs=2),
    "DEPTHWISE_CONV_2D": depthwise,
    "DEPTH_TO_SPACE": reshaping((4, 4), inputs=1),
    "DEQUANTIZE": fixed(state=32),
    "DIV": fixed((1, 1), 28, inputs=2),
    "DYNAMIC_UPDATE_SLICE": fixed(inputs=3),
    "ELU": fixed(state=256),
    "EMBEDDING_LOOKUP": embedding_lookup,
    "EQUAL": _COMPARISON,
    "EXP": fixed(),
    "EXPAND_DIMS": fixed(inputs=2),
    "FILL": fixed(inputs=2),
    "FLOOR": _NOTHING,
    "FLOOR_DIV": fixed(inputs=2),
    "FLOOR_MOD": fixed(inputs=2),
    "FULLY_CONNECTED": fully_connected,
    "GATHER": reshaping((8, 4), inputs=2),
    "GATHER_ND": reshaping((0, 1), inputs=2),
    "GREATER": _COMPARISON,
    "GREATER_EQUAL": _COMPARISON,
    "HARD_SWISH": fixed(state=20),
    "IF": branch,
    "L2_NORMALIZATION": fixed((1, 1), 4),
    "L2_POOL_2D": reshaping((40, 4), inputs=1),
    "LEAKY_RELU": fixed((4, 4), 24),
    "LESS": _COMPARISON,
    "LESS_EQUAL": _COMPARISON,
    "LOG": fixed(),
    "LOGICAL_AND": _NOTHING,
    "LOGICAL_NOT": fixed(),
    "LOGICAL_OR": _NOTHING,
    "LOGISTIC": fixed(state=16),
    "LOG_SOFTMAX": with_quantized_data(28),
    "MAXIMUM": _NOTHING,
    "MAX_POOL_2D": max_pool,
    "MEAN": mean_or_sum,
    "MINIMUM": _NOTHING,
    "MIRROR_PAD": mirror_pad,
    "MUL": fixed((1, 1), 36, inputs=2),
    "NEG": _NOTHING,
    "NOT_EQUAL": _COMPARISON,
    "PACK": fixed((8, 4), inputs=0, outputs=0),
    "PAD": fixed(state=56, inputs=3),
    "PADV2": fixed(state=56, inputs=3),
    "PRELU": fixed(state=28, inputs=2),
    "QUANTIZE": fixed(state=32),
    "REDUCE_ALL": reduction,
    "REDUCE_MAX": reduction,
    "REDUCE_MIN": reduction,
    "RELU": fixed(state=28),
    "RELU6": fixed(state=8, outputs=0),
    "RESHAPE": reshape,
    "RESIZE_BILINEAR": fixed((2, 1), inputs=2),
    "RESIZE_NEAREST_NEIGHBOR": fixed((2, 1), inputs=2),
    "REVERSE_V2": fixed(inputs=2),
    "ROUND": fixed(),
    "RSQRT": fixed(state=20),
    "SELECT_V2": select,
    "SHAPE": fixed((1, 1), inputs=0, outputs=0),
    "SIN": fixed(),
    "SLICE": fixed(inputs=3),
    "SOFTMAX": softmax,
    "SPACE_TO_BATCH_ND": fixed(state=4, inputs=3),
    "SPACE_TO_DEPTH": reshaping((4, 4), inputs=1),
    "SPLIT": fixed((4, 4), inputs=1, outputs=0),
    "SPLIT_V": fixed((4, 4), inputs=3, outputs=0),
    "SQRT": fixed(),
    "SQUARE": fixed(),
    "SQUARED_DIFFERENCE": fixed(state=112, inputs=2),
    "SQUEEZE": fixed((36, 4)),
    "STRIDED_SLICE": fixed((24, 4), 84, inputs=4),
    "SUB": fixed((2, 1), 52, inputs=2),
    "SUM": mean_or_sum,
    "SVDF": svdf,
    "TANH": fixed(state=16),
    "TRANSPOSE": fixed(inputs=2),
    "TRANSPOSE_CONV": transpose_convolution,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
    "UNPACK": fixed((8, 4), inputs=0, outputs=0),
    "WHILE": fixed((8, 4), 8, inputs=0, outputs=0),
    "ZEROS_LIKE": fixed(),
}

_RESOURCES = "its memory depends on the resource variables that the application creates"
# Operators of the set whose need a file alone does not tell, and why.
UNMODELLED: Mapping[str, str] = {
    "ASSIGN_VARIABLE": _RESOURCES,
    "READ_VARIABLE": _RESOURCES,
    "VAR_HANDLE": _RESOURCES,
}


def kernel_need(operator: Operator, graph: Subgraph, kernels: str) -> KernelNeed:
    """What the operator's kernel of that set asks of the arena.

    Raises UnmodelledNode where that is not known, ValueError for an unknown kernel set.
    """
    if kernels not in KERNEL_SETS:
        raise ValueError(f"kernels are one of {', '.join(KERNEL_SETS)}, not {kernels!r}")
    model = MODELS.get(operator.name)
    if model is None:
        why = UNMODELLED.get(operator.name, "TFLite Micro's own set does not have it")
        raise UnmodelledNode(f"{operator.name}: {why}")
    return model(Node(operator, graph, kernels == "cmsis_nn"))
