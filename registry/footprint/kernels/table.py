"""Which model stands for which operator of TFLite Micro's set.

`fixed` names, in this order, the bytes and alignment of the options struct, the bytes of the
kernel's state, and how many inputs and outputs the kernel looks at while it prepares.
"""

from __future__ import annotations

from collections.abc import Mapping

from registry.footprint.kernels.convolution import convolution, depthwise, transpose_convolution
from registry.footprint.kernels.dense import batch_matmul, fully_connected, lstm, svdf
from registry.footprint.kernels.need import (
    KernelModel,
    KernelNeed,
    Node,
    UnmodelledNode,
    alike,
    at_most,
    at_most_with_cmsis_nn,
    constant,
    converts,
    gives,
    takes,
)
from registry.footprint.kernels.shaping import (
    add_n,
    concatenation,
    embedding_lookup,
    mean_or_sum,
    mirror_pad,
    reduction,
    reshape,
    reshaping,
    space_to_batch,
)
from registry.footprint.kernels.simple import (
    average_pool,
    branch,
    fixed,
    max_pool,
    prelu,
    quantize,
    softmax,
    tanh,
    with_quantized_data,
)
from registry.footprint.layout import CORTEX_M, Layout
from registry.formats.network import Operator, Subgraph

KERNEL_SETS = ("cmsis_nn", "reference")

_NOTHING = fixed(inputs=0, outputs=0)
_COMPARISON = fixed(state="8i", inputs=2, outputs=0)
_REAL = "FLOAT32"
_REAL_8 = "FLOAT32 INT8"
_REAL_8_16 = "FLOAT32 INT8 INT16"
_REAL_8_16_32 = "FLOAT32 INT8 INT16 INT32"
_REAL_8_TO_64 = "FLOAT32 INT8 INT16 INT32 INT64"
_COMPARED = "FLOAT32 INT8 INT32 INT64"
_CAST = "FLOAT32 INT8 INT16 INT32 BOOL UINT32"
_QUANTIZED = {"INT16": "INT8 INT16 INT32", "INT8": "INT8 INT16 INT32 UINT8"}
_QUANTIZED |= {"FLOAT32": "INT8 INT16", "INT32": "INT8 INT16", "UINT8": "INT8"}
_PADDING = takes(
    _REAL_8_16_32, takes("INT32", constant((1,), at_most(5, fixed(state="14i", inputs=3))), 1)
)
_SOFTMAX = {"FLOAT32": "FLOAT32", "INT8": "INT8 INT16", "INT16": "INT16"}
_STRIDED_SLICE = constant((1, 2, 3), at_most(4, fixed("5i?", "21i", inputs=4)))
# CMSIS-NN brings the shapes of a maximum or minimum of any type to four dimensions, and takes no
# more of them to transpose 8 bits.
_LARGER = at_most_with_cmsis_nn(4, _REAL_8_TO_64, _NOTHING)
_TRANSPOSE = at_most_with_cmsis_nn(4, "INT8", at_most(5, fixed(inputs=2)))
_LARGEST = dict.fromkeys(_REAL_8.split(), "INT32")

MODELS: Mapping[str, KernelModel] = {
    "ABS": takes(_REAL_8_16, fixed(state="4i?2e")),
    "ADD": takes(_REAL_8_16_32, fixed("e?", "15i", inputs=2)),
    "ADD_N": takes(_REAL_8, add_n),
    "ARG_MAX": converts(_LARGEST, fixed("e", inputs=0, outputs=0)),
    "ARG_MIN": converts(_LARGEST, fixed("e", inputs=0, outputs=0)),
    "AVERAGE_POOL_2D": takes(_REAL_8_16, average_pool),
    "BATCH_MATMUL": batch_matmul,
    "BATCH_TO_SPACE_ND": takes(_REAL_8, fixed()),
    "BROADCAST_ARGS": alike(takes("INT32 INT64", fixed(inputs=2))),
    "BROADCAST_TO": constant((1,), at_most(5, fixed(inputs=2))),
    "CALL_ONCE": fixed("i", "i?", inputs=0, outputs=0),
    "CAST": converts(dict.fromkeys(_CAST.split(), _CAST), fixed("2e")),
    "CEIL": takes(_REAL, fixed()),
    "CONCATENATION": takes(f"{_REAL_8_TO_64} BOOL", concatenation),
    "CONV_2D": convolution,
    "COS": takes(_REAL, fixed()),
    "CUMSUM": takes(_REAL_8, with_quantized_data("9i", "2?", inputs=2)),
    "DEPTHWISE_CONV_2D": depthwise,
    "DEPTH_TO_SPACE": takes(_REAL_8, reshaping("i", inputs=1)),
    "DEQUANTIZE": converts(dict.fromkeys(("INT8", "INT16", "UINT8"), _REAL), fixed(state="8i")),
    "DIV": takes("FLOAT32 INT8 INT32", fixed("e", "7i", inputs=2)),
    "DYNAMIC_UPDATE_SLICE": takes(_REAL_8_16_32, fixed(inputs=3)),
    "ELU": takes(_REAL_8, fixed(state="64i")),
    "EMBEDDING_LOOKUP": takes(_REAL_8, embedding_lookup, 1),
    "EQUAL": takes(f"{_COMPARED} BOOL", _COMPARISON),
    "EXP": takes(_REAL, fixed()),
    "EXPAND_DIMS": takes(_REAL_8_16, constant((1,), fixed(inputs=2))),
    "FILL": takes("FLOAT32 INT8 INT32", constant((0,), fixed(inputs=2)), 1),
    "FLOOR": takes(_REAL, _NOTHING),
    "FLOOR_DIV": takes(_REAL, fixed(inputs=2)),
    "FLOOR_MOD": takes(_REAL, fixed(inputs=2)),
    "FULLY_CONNECTED": fully_connected,
    "GATHER": takes(_REAL_8, takes("INT32", reshaping("2i", inputs=2), 1)),
    "GATHER_ND": takes(_REAL_8, takes("INT32", reshaping("", inputs=2), 1)),
    "GREATER": takes(f"{_COMPARED} INT16", _COMPARISON),
    "GREATER_EQUAL": takes(_COMPARED, _COMPARISON),
    "HARD_SWISH": takes(_REAL_8, fixed(state="5i")),
    "IF": branch,
    "L2_NORMALIZATION": takes(_REAL_8, fixed("e", "i")),
    "L2_POOL_2D": takes(_REAL, reshaping("e4ie4i", inputs=1)),
    "LEAKY_RELU": takes(_REAL_8_16, fixed("f", "6i")),
    "LESS": takes(_COMPARED, _COMPARISON),
    "LESS_EQUAL": takes(_COMPARED, _COMPARISON),
    "LOG": takes(_REAL, fixed()),
    "LOGICAL_AND": _NOTHING,
    "LOGICAL_NOT": takes("BOOL", fixed()),
    "LOGICAL_OR": _NOTHING,
    "LOGISTIC": takes(_REAL_8_16, fixed(state="4i")),
    "LOG_SOFTMAX": takes(_REAL_8, with_quantized_data("5i2P")),
    "MAXIMUM": takes(_REAL_8_TO_64, _LARGER),
    "MAX_POOL_2D": takes(_REAL_8_16, max_pool),
    "MEAN": takes(_REAL_8_16, mean_or_sum),
    "MINIMUM": takes(_REAL_8_TO_64, _LARGER),
    "MIRROR_PAD": takes(_REAL_8, mirror_pad),
    "MUL": takes(_REAL_8_16_32, fixed("e", "9i", inputs=2)),
    "NEG": takes(_REAL, _NOTHING),
    "NOT_EQUAL": takes(f"{_COMPARED} BOOL", _COMPARISON),
    "PACK": takes(_REAL_8_TO_64, fixed("2i", inputs=0, outputs=0)),
    "PAD": _PADDING,
    "PADV2": _PADDING,
    "PRELU": takes(_REAL_8, prelu),
    "QUANTIZE": converts(_QUANTIZED, quantize),
    "REDUCE_ALL": takes("BOOL", reduction),
    "REDUCE_MAX": takes(_REAL_8, reduction),
    "REDUCE_MIN": takes(_REAL_8, reduction),
    "RELU": takes(_REAL_8_16, fixed(state="7i")),
    "RELU6": takes(_REAL_8_16, fixed(state="2i", outputs=0)),
    "RESHAPE": reshape,
    "RESIZE_BILINEAR": takes(_REAL_8, constant((1,), fixed("2?", inputs=2))),
    "RESIZE_NEAREST_NEIGHBOR": takes(_REAL_8_16, constant((1,), fixed("2?", inputs=2))),
    "REVERSE_V2": takes(f"{_REAL_8_TO_64} UINT8 BOOL", fixed(inputs=2)),
    "ROUND": takes(_REAL, fixed()),
    "RSQRT": takes(_REAL_8_16, fixed(state="4i?2e")),
    "SELECT_V2": takes(_REAL_8_16, fixed(state="?", inputs=3), 1),
    "SHAPE": gives("INT32", fixed("e", inputs=0, outputs=0)),
    "SIN": takes(_REAL, fixed()),
    "SLICE": takes(f"{_REAL_8_16_32} BOOL", at_most(5, fixed(inputs=3))),
    "SOFTMAX": converts(_SOFTMAX, softmax),
    "SPACE_TO_BATCH_ND": takes(_REAL_8, space_to_batch),
    "SPACE_TO_DEPTH": takes(_REAL_8, reshaping("i", inputs=1)),
    "SPLIT": takes(_REAL_8_16_32, constant((0,), fixed("i", inputs=1, outputs=0)), 1),
    "SPLIT_V": takes(_REAL_8_16_32, constant((2,), fixed("i", inputs=3, outputs=0))),
    "SQRT": takes(_REAL, fixed()),
    "SQUARE": takes(_REAL, fixed()),
    "SQUARED_DIFFERENCE": takes(_REAL_8_16_32, fixed(state="28i", inputs=2)),
    "SQUEEZE": fixed("9i"),
    "STRIDED_SLICE": takes(f"{_REAL_8_16_32} BOOL", _STRIDED_SLICE),
    "SUB": takes(_REAL_8_16_32, fixed("e?", "13i", inputs=2)),
    "SUM": takes(_REAL_8_16, mean_or_sum),
    "SVDF": svdf,
    "TANH": takes(_REAL_8_16, tanh),
    "TRANSPOSE": takes(_REAL_8_16, constant((1,), _TRANSPOSE)),
    "TRANSPOSE_CONV": transpose_convolution,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
    "UNPACK": takes(_REAL_8_16_32, fixed("2i", inputs=0, outputs=0)),
    "WHILE": fixed("2i", "2i", inputs=0, outputs=0),
    "ZEROS_LIKE": takes("FLOAT32 INT8 INT32 INT64", fixed()),
}

_RESOURCES = "its memory depends on the resource variables that the application creates"
# Operators of the set whose need a file alone does not tell, and why.
UNMODELLED: Mapping[str, str] = {
    "ASSIGN_VARIABLE": _RESOURCES,
    "READ_VARIABLE": _RESOURCES,
    "VAR_HANDLE": _RESOURCES,
}


def kernel_need(
    operator: Operator, graph: Subgraph, kernels: str, layout: Layout = CORTEX_M
) -> KernelNeed:
    """What the operator's kernel of that set asks of the arena on a machine of that layout.

    Raises UnmodelledNode where that is not known, ValueError for an unknown kernel set.
    """
    if kernels not in KERNEL_SETS:
        raise ValueError(f"kernels are one of {', '.join(KERNEL_SETS)}, not {kernels!r}")
    model = MODELS.get(operator.name)
    if model is None:
        why = UNMODELLED.get(operator.name, "TFLite Micro's own set does not have it")
        raise UnmodelledNode(f"{operator.name}: {why}")
    return model(Node(operator, graph, kernels == "cmsis_nn", layout))
