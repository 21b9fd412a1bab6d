"""Kernels that cut, join, move or reduce tensors, where the need depends on shapes.

Rules: the files of the operators' names in tensorflow/lite/micro/kernels.
"""

from __future__ import annotations

from registry.footprint.kernels.need import KernelModel, KernelNeed, Node

_INT32_BYTES = 4
_POINTER = 4


def dimensions_bytes(rank: int) -> int:
    """A copy of a tensor's dimensions: their number, then each."""
    return _INT32_BYTES * (1 + rank)


def reshaping(options: tuple[int, int], inputs: int) -> KernelModel:
    """A kernel that computes its output's dimensions and keeps them in the arena."""

    def need(node: Node) -> KernelNeed:
        kept = (dimensions_bytes(len(node.output().shape)),)
        return KernelNeed(options, 0, kept, (), node.looks_at(*range(inputs)))

    return need


def mean_or_sum(node: Node) -> KernelNeed:
    """MEAN and SUM: accumulate quantized outputs in 32 bits."""
    quantized = node.input(0).dtype in ("INT8", "INT16")
    scratch = (node.output().elements * _INT32_BYTES,) if quantized else ()
    return KernelNeed((1, 1), 40, (), scratch, node.looks_at(0, 1) * 2)


def reduction(node: Node) -> KernelNeed:
    """REDUCE_MAX, REDUCE_MIN and REDUCE_ALL: an index per dimension and one per axis."""
    rank, axes = len(node.input(0).shape), node.input(1).elements
    scratch = (_INT32_BYTES * rank, _INT32_BYTES * axes)
    return KernelNeed((1, 1), 40, (), scratch, node.looks_at(0, 1) * 2)


def concatenation(node: Node) -> KernelNeed:
    """CONCATENATION: scale and zero point of each input where they are 8-bit."""
    inputs = node.looks_at(*range(len(node.operator.inputs)), outputs=0)
    looked_at = node.looks_at(0) + inputs + node.looks_at()
    if node.input(0).dtype != "INT8":
        return KernelNeed((8, 4), 24, (), (), looked_at)
    per_input = _INT32_BYTES * len(inputs)
    return KernelNeed((8, 4), 24, (per_input, per_input), (), looked_at + inputs)


def add_n(node: Node) -> KernelNeed:
    """ADD_N: an array of pointers to its inputs."""
    count = len(node.operator.inputs)
    kept = (40,) if node.output().dtype == "INT8" else ()
    return KernelNeed((0, 1), 0, kept, (_POINTER * count,), node.looks_at(*range(count)))


def mirror_pad(node: Node) -> KernelNeed:
    """MIRROR_PAD: element counts per dimension of input and output."""
    rank = len(node.input(0).shape)
    return KernelNeed((1, 1), 20, (), (_INT32_BYTES * rank,) * 2, node.looks_at(0, 1))


def embedding_lookup(node: Node) -> KernelNeed:
    """EMBEDDING_LOOKUP: its output's dimensions, a scale and a column count."""
    kept = (dimensions_bytes(len(node.output().shape)), 8)
    return KernelNeed((0, 1), 0, kept, (), node.looks_at(0, 1))


def reshape(node: Node) -> KernelNeed:
    """RESHAPE: keeps an output's dimensions only where that is a scalar."""
    rank = len(node.output().shape)
    kept = (dimensions_bytes(rank),) if rank == 0 else ()
    return KernelNeed((36, 4), 0, kept, (), node.looks_at(0, 1))
