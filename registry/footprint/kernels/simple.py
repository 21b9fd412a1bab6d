"""Kernels whose need follows from types and element counts alone."""

from __future__ import annotations

from registry.footprint.kernels.need import KernelModel, KernelNeed, Node

_INT32_BYTES = 4
_SOFTMAX_TABLE_BYTES = 2 * 513


def fixed(
    options: tuple[int, int] = (0, 1), state: int = 0, inputs: int = 1, outputs: int = 1
) -> KernelModel:
    """A kernel whose need depends on nothing; it looks at the first inputs and outputs."""

    def need(node: Node) -> KernelNeed:
        return KernelNeed(options, state, (), (), node.looks_at(*range(inputs), outputs=outputs))

    return need


def average_pool(node: Node) -> KernelNeed:
    """AVERAGE_POOL_2D: CMSIS-NN sums all channels of one place in 32 bits."""
    source = node.shaped(0, 4)
    looked_at = node.looks_at(0)
    if not node.cmsis_nn:
        return KernelNeed((40, 4), 32, (), (), looked_at)
    summed = source.dtype in ("INT8", "INT16")
    scratch = (source.shape[3] * _INT32_BYTES,) if summed else ()
    return KernelNeed((40, 4), 36, (), scratch, looked_at * 2)


def max_pool(node: Node) -> KernelNeed:
    """MAX_POOL_2D."""
    node.shaped(0, 4)
    return KernelNeed((40, 4), 36 if node.cmsis_nn else 32, (), (), node.looks_at(0))


def softmax(node: Node) -> KernelNeed:
    """SOFTMAX: two tables of 513 entries for 16-bit inputs."""
    tables = (_SOFTMAX_TABLE_BYTES,) * 2 if node.input(0).dtype == "INT16" else ()
    return KernelNeed((4, 4), 64 if node.cmsis_nn else 56, tables, (), node.looks_at(0))


def mean_or_sum(node: Node) -> KernelNeed:
    """MEAN and SUM: accumulate quantized outputs in 32 bits."""
    quantized = node.input(0).dtype in ("INT8", "INT16")
    scratch = (node.output().elements * _INT32_BYTES,) if quantized else ()
    return KernelNeed((1, 1), 40, (), scratch, node.looks_at(0, 1) * 2)
