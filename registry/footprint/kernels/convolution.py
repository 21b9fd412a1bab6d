"""Convolutions: 2-D, depthwise and transposed.

Rules: tensorflow/lite/micro/kernels/{conv,depthwise_conv,transpose_conv}*, their cmsis_nn versions,
and CMSIS-NN's Source/ConvolutionFunctions/*get_buffer_sizes*, for a core with DSP instructions and
without vector ones (Cortex-M4, M7), compiled by GCC.
"""

from __future__ import annotations

from registry.footprint.kernels.need import KernelNeed, Node, UnmodelledNode, require_types
from registry.formats.network import Tensor

_OPTIONS = "e2ie2ie"
_DEPTHWISE_OPTIONS = "e3ie2i"
_TRANSPOSE_OPTIONS = "e2i2e"
_STATE = "9i2P3i2c"
_CMSIS_STATE = "9i2P3i2ci"
_TRANSPOSE_STATE = "17i2P"
_TRANSPOSE_CMSIS_STATE = "18i2P"
_INT16_BYTES = 2
_INT32_BYTES = 4
_INT64_BYTES = 8
# CMSIS-NN runs a transposed convolution as a reversed one from this many input channels on.
_REVERSE_CHANNELS = 16
_VALID = 1


def convolution(node: Node) -> KernelNeed:
    """CONV_2D: multiplier and shift per output channel, and rows of the image for CMSIS-NN."""
    source, weights = node.shaped(0, 4), node.shaped(1, 4)
    node_types(node, source, weights)
    per_channel = (_INT32_BYTES * weights.shape[0],) * 2
    looked_at = node.looks_at(0, 1), node.looks_at(0, 1, 2)
    if node.cmsis_nn:
        quantized = source.dtype != "FLOAT32"
        kept = per_channel if quantized else ()
        scratch = _image_rows(node, source, weights) if quantized else 0
        return KernelNeed(_OPTIONS, _CMSIS_STATE, kept, _some(scratch), *looked_at)
    unpacked = weights.elements if weights.dtype == "INT4" else 0
    return KernelNeed(_OPTIONS, _STATE, per_channel, _some(unpacked), *looked_at)


def depthwise(node: Node) -> KernelNeed:
    """DEPTHWISE_CONV_2D: as CONV_2D; CMSIS-NN buffers a filter's footprint of all channels."""
    source, weights = node.shaped(0, 4), node.shaped(1, 4)
    node_types(node, source, weights)
    per_channel = (_INT32_BYTES * weights.shape[3],) * 2
    looked_at = node.looks_at(0, 1), node.looks_at(0, 1, 2)
    if node.cmsis_nn:
        kept = per_channel if source.dtype != "FLOAT32" else ()
        scratch = _depthwise_rows(node, source, weights) if source.dtype == "INT8" else 0
        return KernelNeed(_DEPTHWISE_OPTIONS, _CMSIS_STATE, kept, _some(scratch), *looked_at)
    if node.operator.inputs[2:3] == (-1,):
        raise UnmodelledNode("DEPTHWISE_CONV_2D reads the bias also where its number is -1")
    unpacked = weights.elements if weights.dtype == "INT4" else 0
    return KernelNeed(_DEPTHWISE_OPTIONS, _STATE, per_channel, _some(unpacked), *looked_at)


def transpose_convolution(node: Node) -> KernelNeed:
    """TRANSPOSE_CONV: accumulates its whole output, or reverses the filter in CMSIS-NN."""
    weights, source = node.shaped(1, 4), node.shaped(2, 4)
    node_types(node, source, weights)
    per_channel = (_INT32_BYTES * weights.shape[0],) * 2
    first = node.looks_at(2, 1)
    again = node.looks_at(2, 1, 3) if source.dtype != "FLOAT32" else ()
    scratch = _transpose_scratch(node, source, weights)
    state = _TRANSPOSE_CMSIS_STATE if node.cmsis_nn else _TRANSPOSE_STATE
    return KernelNeed(_TRANSPOSE_OPTIONS, state, per_channel, scratch, first, again)


def node_types(node: Node, source: Tensor, weights: Tensor) -> None:
    """The type pairs that these kernels take. Raises UnmodelledNode."""
    require_types(node, source, "FLOAT32", "INT8", "INT16")
    allowed = {"FLOAT32": ("FLOAT32",), "INT16": ("INT8",), "INT8": ("INT8", "INT4")}
    require_types(node, weights, *allowed[source.dtype])


def _some(size: int) -> tuple[int, ...]:
    return (size,) if size > 0 else ()


def _dilation(node: Node) -> tuple[int, int]:
    return node.operator.integer("dilation_h", 1), node.operator.integer("dilation_w", 1)


def same_padding(
    node: Node, source: Tensor, filter_height: int, filter_width: int
) -> tuple[int, int]:
    """Padding above and to the left, in elements; 0 for VALID."""
    if node.operator.integer("padding") == _VALID:
        return 0, 0
    strides = node.operator.integer("stride_h", 1), node.operator.integer("stride_w", 1)
    if min(strides) < 1:
        raise UnmodelledNode(f"{node.operator.name} has a stride below 1")
    found = []
    for size, stride, width, dilation in zip(
        source.shape[1:3], strides, (filter_height, filter_width), _dilation(node), strict=True
    ):
        outputs = -(-size // stride)
        missing = (outputs - 1) * stride + (width - 1) * dilation + 1 - size
        found.append(max(missing, 0) // 2)
    return found[0], found[1]


def _image_rows(node: Node, source: Tensor, weights: Tensor) -> int:
    """Two columns of the unrolled image in 16 bits; none where the filter is 1 x 1."""
    _, height, width, _ = weights.shape
    columns = height * width * source.shape[3]
    if source.dtype == "INT16":
        bias = node.optional(2)
        wide = bias is None or bias.dtype == "INT64"
        return 2 * columns * _INT16_BYTES if wide else 0
    pointwise = (height, width) == (1, 1) and same_padding(node, source, 1, 1) == (0, 0)
    if pointwise and _dilation(node) == (1, 1):
        return 0
    if weights.dtype == "INT8":
        columns = -(-columns // 4) * 4
    return 2 * columns * _INT16_BYTES


def _depthwise_rows(node: Node, source: Tensor, weights: Tensor) -> int:
    _, height, width, channels = weights.shape
    plain = source.shape[3] == channels and source.shape[0] == 1 and _dilation(node) == (1, 1)
    if not plain:
        return 0
    if weights.dtype == "INT8" and (height, width) == (3, 3):
        padding = same_padding(node, source, height, width)
        if max(padding) <= 1:
            return 0
    return channels * height * width * _INT16_BYTES


def _transpose_scratch(node: Node, source: Tensor, weights: Tensor) -> tuple[int, ...]:
    output = node.output()
    if source.dtype == "FLOAT32":
        return ()
    if source.dtype == "INT16":
        bias = node.optional(3)
        converted = (bias.elements * _INT64_BYTES,) if bias and bias.dtype == "INT16" else ()
        return (output.elements * _INT64_BYTES, *converted)
    if not node.cmsis_nn:
        return (output.elements * _INT32_BYTES,)
    return _cmsis_transpose_scratch(node, source, weights)


def _cmsis_transpose_scratch(node: Node, source: Tensor, weights: Tensor) -> tuple[int, ...]:
    """Both requests are made always, also for zero bytes."""
    filters, height, width, depth = weights.shape
    stride_h, stride_w = node.operator.integer("stride_h"), node.operator.integer("stride_w")
    if max(stride_h, stride_w) <= 2 and depth > _REVERSE_CHANNELS:
        columns = -(-(height * width * depth) // 4) * 4
        return 2 * columns * _INT16_BYTES, depth * height * width * filters
    row = ((source.shape[2] - 1) * stride_w + max(width, stride_h)) * filters
    return row * max(height, stride_h) * _INT32_BYTES, 0
