"""Kernels that cut, join, move or reduce tensors, where the need depends on shapes.

Rules: the files of the operators' names in tensorflow/lite/micro/kernels.
"""

from __future__ import annotations

from registry.footprint.kernels.need import KernelModel, KernelNeed, Node, UnmodelledNode

_INT32_BYTES = 4
_MOST_CONCATENATED = 10


def dimensions_bytes(rank: int) -> int:
    """A copy of a tensor's dimensions: their number, then each."""
    return _INT32_BYTES * (1 + rank)


def reshaping(options: str, inputs: int) -> KernelModel:
    """A kernel that computes its output's dimensions and keeps them in the arena."""

    def need(node: Node) -> KernelNeed:
        kept = (dimensions_bytes(len(node.output().shape)),)
        return KernelNeed(options, "", kept, (), node.looks_at(*range(inputs)))

    return need


def mean_or_sum(node: Node) -> KernelNeed:
    """MEAN and SUM: as `reduction`, and accumulate quantized outputs in 32 bits."""
    scratch = _reduction_scratch(node)
    if node.input(0).dtype in ("INT8", "INT16"):
        scratch += (node.output().elements * _INT32_BYTES,)
    return KernelNeed("?", "11i", (), scratch, node.looks_at(0, 1) + _checked(node))


def reduction(node: Node) -> KernelNeed:
    """REDUCE_MAX, REDUCE_MIN and REDUCE_ALL."""
    looked_at = _checked(node) + node.looks_at(0, 1)
    return KernelNeed("?", "11i", (), _reduction_scratch(node), looked_at)


def _reduction_scratch(node: Node) -> tuple[int, ...]:
    """An index per dimension and one per axis."""
    return _INT32_BYTES * len(node.input(0).shape), _INT32_BYTES * node.input(1).elements


def _checked(node: Node) -> tuple[int, ...]:
    return node.looks_at(0, 1, outputs=int(node.input(0).dtype == "INT8"))


def concatenation(node: Node) -> KernelNeed:
    """CONCATENATION: at most ten inputs."""
    if len(node.operator.inputs) > _MOST_CONCATENATED:
        raise UnmodelledNode(f"CONCATENATION takes at most {_MOST_CONCATENATED} inputs")
    inputs = node.looks_at(*range(len(node.operator.inputs)), outputs=0)
    looked_at = node.looks_at(0) + inputs
    return KernelNeed("ie", "b2Phif10c", (), (), looked_at)


def add_n(node: Node) -> KernelNeed:
    """ADD_N: an array of pointers to its inputs."""
    count = len(node.operator.inputs)
    kept = (node.layout.size("10i"),) if node.output().dtype == "INT8" else ()
    return KernelNeed("", "", kept, (node.layout.pointer * count,), node.looks_at(*range(count)))


def mirror_pad(node: Node) -> KernelNeed:
    """MIRROR_PAD: element counts per dimension of input and output."""
    rank = len(node.input(0).shape)
    return KernelNeed("e", "5i", (), (_INT32_BYTES * rank,) * 2, node.looks_at(0, 1))


def embedding_lookup(node: Node) -> KernelNeed:
    """EMBEDDING_LOOKUP: its output's dimensions, a scale and a column count."""
    kept = (dimensions_bytes(len(node.output().shape)), node.layout.size("fP"))
    return KernelNeed("", "", kept, (), node.looks_at(0, 1))


def reshape(node: Node) -> KernelNeed:
    """RESHAPE: the shape is read when the file is."""
    return KernelNeed("9i", "", (), (), node.looks_at(0))


def space_to_batch(node: Node) -> KernelNeed:
    """SPACE_TO_BATCH_ND: looks at its output's shape alone."""
    return KernelNeed("", "i", (), (), node.looks_at(0, 1, 2, 2, outputs=0))
