"""Kernels whose need follows from types and element counts alone.

Rules: the files of the operators' names in tensorflow/lite/micro/kernels and cmsis_nn below it.
"""

from __future__ import annotations

from registry.footprint.kernels.need import KernelModel, KernelNeed, Node, UnmodelledNode

_INT32_BYTES = 4
_SOFTMAX_TABLE_BYTES = 2 * 513
_PRELU_RANK = 4
_POOL_OPTIONS = "e4ie4i"
_POOL_STATE = "8i"
_POOL_CMSIS_STATE = "9i"


def fixed(options: str = "", state: str = "", inputs: int = 1, outputs: int = 1) -> KernelModel:
    """A kernel whose need depends on nothing; it looks at the first inputs and outputs."""

    def need(node: Node) -> KernelNeed:
        return KernelNeed(options, state, (), (), node.looks_at(*range(inputs), outputs=outputs))

    return need


def with_quantized_data(members: str, options: str = "", inputs: int = 1) -> KernelModel:
    """A kernel that keeps data for 8-bit inputs only."""

    def need(node: Node) -> KernelNeed:
        kept = (node.layout.size(members),) if node.input(0).dtype == "INT8" else ()
        return KernelNeed(options, "", kept, (), node.looks_at(*range(inputs)))

    return need


def branch(node: Node) -> KernelNeed:
    """IF: reads its condition through a temporary while it runs."""
    condition = node.looks_at(0, outputs=0)
    return KernelNeed("2i", "2i", (), (), condition, condition)


def average_pool(node: Node) -> KernelNeed:
    """AVERAGE_POOL_2D: CMSIS-NN sums all channels of one place in 32 bits."""
    source = node.shaped(0, 4)
    looked_at = node.looks_at(0)
    if not node.cmsis_nn:
        return KernelNeed(_POOL_OPTIONS, _POOL_STATE, (), (), looked_at)
    summed = source.dtype in ("INT8", "INT16")
    scratch = (source.shape[3] * _INT32_BYTES,) if summed else ()
    return KernelNeed(_POOL_OPTIONS, _POOL_CMSIS_STATE, (), scratch, looked_at * 2)


def tanh(node: Node) -> KernelNeed:
    """TANH: looks at its input twice."""
    return KernelNeed("", "4i", (), (), node.looks_at(0, outputs=0) + node.looks_at(0))


def max_pool(node: Node) -> KernelNeed:
    """MAX_POOL_2D."""
    node.shaped(0, 4)
    return KernelNeed(
        _POOL_OPTIONS, _POOL_CMSIS_STATE if node.cmsis_nn else _POOL_STATE, (), (), node.looks_at(0)
    )


def prelu(node: Node) -> KernelNeed:
    """PRELU: numbers that are not quantized only in four dimensions."""
    if node.input(0).dtype == "FLOAT32" and len(node.input(0).shape) > _PRELU_RANK:
        raise UnmodelledNode(f"PRELU takes at most {_PRELU_RANK} dimensions of FLOAT32")
    return KernelNeed("", "7i", (), (), node.looks_at(0, 1))


def quantize(node: Node) -> KernelNeed:
    """QUANTIZE: to a scale."""
    if node.output().quantization is None:
        raise UnmodelledNode("QUANTIZE has an output without a scale")
    return KernelNeed("", "8i", (), (), node.looks_at(0))


def softmax(node: Node) -> KernelNeed:
    """SOFTMAX: two tables of 513 entries for 16-bit inputs."""
    if not node.input(0).shape:
        raise UnmodelledNode("SOFTMAX does not take a scalar")
    tables = (_SOFTMAX_TABLE_BYTES,) * 2 if node.input(0).dtype == "INT16" else ()
    return KernelNeed("f", "d7i5P2i" if node.cmsis_nn else "d7i5P", tables, (), node.looks_at(0))
