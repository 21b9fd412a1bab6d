"""Fully connected layers, matrix products and recurrent layers.

Rules: tensorflow/lite/micro/kernels/{fully_connected,batch_matmul,svdf,lstm}* and their cmsis_nn
versions.
"""

from __future__ import annotations

from registry.footprint.kernels.need import KernelNeed, Node, UnmodelledNode, require_types
from registry.formats.network import Tensor

_INT16_BYTES = 2
_INT32_BYTES = 4
_INT64_BYTES = 8
_FULLY_CONNECTED_OPTIONS = "2e2?e2D"
_WEIGHTS_OF = {"FLOAT32": ("FLOAT32",), "INT8": ("INT8", "INT4"), "INT16": ("INT8",)}
_FULLY_CONNECTED_STATE = "9i2P?2c"
_FULLY_CONNECTED_CMSIS_STATE = "9i2P?2c2iP3i"
_FULLY_CONNECTED_CMSIS_RANKS = range(2, 5)
_BATCH_MATMUL_STATE = "3P3?"
_BATCH_MATMUL_CMSIS_STATE = "3P3?5i"
_SVDF_OPTIONS = "ie?"
_LSTM_OPTIONS = "e2f3?"
_LSTM_STATE = "172i"
_LSTM_CMSIS_STATE = "228i"


def fully_connected(node: Node) -> KernelNeed:
    """FULLY_CONNECTED: per-channel multipliers where the weights have several scales."""
    source, weights = node.input(0), node.input(1)
    require_types(node, source, *_WEIGHTS_OF)
    require_types(node, weights, *_WEIGHTS_OF[source.dtype])
    rank = len(node.output().shape)
    if not weights.shape or not rank:
        raise UnmodelledNode("FULLY_CONNECTED has weights or an output without a shape")
    scales = len(weights.quantization.scales) if weights.quantization else 0
    per_channel = scales > 1 and source.dtype != "FLOAT32"
    if per_channel and weights.dtype == "INT4":
        raise UnmodelledNode("FULLY_CONNECTED takes INT4 weights only with one scale")
    if node.cmsis_nn and rank not in _FULLY_CONNECTED_CMSIS_RANKS:
        raise UnmodelledNode("FULLY_CONNECTED of CMSIS-NN gives 2 to 4 dimensions")
    kept = (_INT32_BYTES * scales,) * 2 if per_channel else ()
    if node.cmsis_nn:
        state = _FULLY_CONNECTED_CMSIS_STATE
        scratch = _pointwise_multipliers(node, source, weights, per_channel)
    else:
        state = _FULLY_CONNECTED_STATE
        scratch = (weights.elements,) if weights.dtype == "INT4" else ()
    return KernelNeed(_FULLY_CONNECTED_OPTIONS, state, kept, scratch, node.looks_at(0, 1, 2))


def _pointwise_multipliers(
    node: Node, source: Tensor, weights: Tensor, per_channel: bool
) -> tuple[int, ...]:
    """CMSIS-NN runs it as a 1 x 1 convolution, which wants multipliers per channel."""
    output = node.output()
    possible = len(output.shape) > 2 and weights.shape[-1] % 4 == 0
    if source.dtype != "INT8" or weights.dtype == "INT4" or not possible or per_channel:
        return ()
    return (output.shape[-1] * _INT32_BYTES * 2,)


def svdf(node: Node) -> KernelNeed:
    """SVDF: the filters' and the units' sums of one step."""
    source, feature, time = node.shaped(0, 2), node.shaped(1, 2), node.shaped(2, 2)
    require_types(node, source, "FLOAT32", "INT8")
    node.input(3)
    rank = node.operator.integer("rank")
    if rank < 1 or not time.shape[1]:
        raise UnmodelledNode("SVDF has a rank below 1")
    filters, batch = feature.shape[0], source.shape[0]
    scratch: tuple[int, ...] = (batch * filters * _INT32_BYTES,)
    if source.dtype == "INT8":
        scratch += (batch * (filters // rank) * _INT32_BYTES,)
    state = "10i" if node.cmsis_nn else "9i"
    return KernelNeed(_SVDF_OPTIONS, state, (), scratch, node.looks_at(0, 1, 2, 3, 4))


def lstm(node: Node) -> KernelNeed:
    """UNIDIRECTIONAL_SEQUENCE_LSTM: gates of one step, and with CMSIS-NN the weights' sums."""
    source = node.input(0)
    require_types(node, source, "FLOAT32", "INT8", "INT16")
    if len(source.shape) not in (2, 3):
        raise UnmodelledNode("UNIDIRECTIONAL_SEQUENCE_LSTM has an input that is no sequence")
    hidden = node.shaped(18, 2)
    batch = source.shape[1] if node.operator.integer("time_major") else source.shape[0]
    if len(source.shape) == 2:
        batch = 1
    units = hidden.shape[1]
    looked_at = node.looks_at(*range(24))
    wide = node.input(19).dtype
    element = _INT32_BYTES if wide == "FLOAT32" else _INT16_BYTES
    optimized = node.cmsis_nn and wide != "FLOAT32"
    scratch = (batch * units * element,) * (3 if optimized else 4)
    if not optimized:
        state = _LSTM_CMSIS_STATE if node.cmsis_nn else _LSTM_STATE
        return KernelNeed(_LSTM_OPTIONS, state, (), scratch, looked_at)
    bias = _INT32_BYTES if source.dtype == "INT8" else _INT64_BYTES
    sums = (units * bias,) * 8
    return KernelNeed(_LSTM_OPTIONS, _LSTM_CMSIS_STATE, sums, scratch, looked_at)


def batch_matmul(node: Node) -> KernelNeed:
    """BATCH_MATMUL: keeps its output's dimensions, and a transposed copy of an operand that lies
    the wrong way round."""
    left, right = node.input(0), node.input(1)
    require_types(node, left, "FLOAT32", "INT8", "INT16")
    require_types(node, right, left.dtype)
    ranks = range(2, 5 if node.cmsis_nn else 6)
    if len(left.shape) not in ranks or len(right.shape) not in ranks:
        raise UnmodelledNode("BATCH_MATMUL has an operand that is no matrix")
    prepared: tuple[int, ...] = ()
    if node.operator.integer("adjoint_x"):
        prepared += _transposed_copy(node, left)
    if not node.operator.integer("adjoint_y"):
        prepared += _transposed_copy(node, right)
    prepared += (_INT32_BYTES * (1 + len(node.output().shape)),)
    if left.dtype != "FLOAT32":
        prepared += (node.layout.size("7i"),)
    state = _BATCH_MATMUL_CMSIS_STATE if node.cmsis_nn else _BATCH_MATMUL_STATE
    return KernelNeed("3?", state, prepared, (), node.looks_at(0, 1))


def _transposed_copy(node: Node, tensor: Tensor) -> tuple[int, ...]:
    dimensions = _INT32_BYTES * (1 + len(tensor.shape))
    return node.layout.size("2Pe"), dimensions, tensor.size_bytes or 0
