"""Kernels whose need follows from types and element counts alone.

Rules: the files of the operators' names in tensorflow/lite/micro/kernels and cmsis_nn below it.
"""

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


def with_quantized_data(
    size: int, options: tuple[int, int] = (0, 1), inputs: int = 1
) -> KernelModel:
    """A kernel that keeps data for 8-bit inputs only."""

    def need(node: Node) -> KernelNeed:
        kept = (size,) if node.input(0).dtype == "INT8" else ()
        return KernelNeed(options, 0, kept, (), node.looks_at(*range(inputs)))

    return need


def select(node: Node) -> KernelNeed:
    """SELECT_V2: looks at everything again while it runs."""
    looked_at = node.looks_at(0, 1, 2)
    return KernelNeed((0, 1), 2, (), (), looked_at, looked_at)


def branch(node: Node) -> KernelNeed:
    """IF: reads its condition through a temporary while it runs."""
    condition = node.looks_at(0, outputs=0)
    return KernelNeed((8, 4), 8, (), (), condition, condition)


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
