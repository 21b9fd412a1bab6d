"""The device's own view of a network's memory: what TFLite Micro's arena has to hold.

Head: activations and kernel scratch buffers, laid out as TensorFlow Lite Micro's greedy memory
planner does it (largest first, each at the lowest offset that is free during its lifetime, 16-byte
steps). Tail: the interpreter's structures, by a line through measured networks. The server has its
own planner; this one reads only what the loaded interpreter says, so that an error in the one is
seen by the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

ALIGNMENT_BYTES = 16

# Least squares over the persistent bytes of 27 networks on a Cortex-M4 (TFLite Micro 90b983c2):
# worst error 7 %, below 200 bytes on networks of under 40 tensors.
_FIXED_BYTES = 260
_BYTES_PER_TENSOR = 30
_BYTES_PER_OPERATOR = 52
_BYTES_PER_CHANNEL = 8

# Planning itself needs room before the tail is complete; it shows on the smallest networks only.
_PLANNER_BYTES = 200
_PLANNER_BYTES_PER_BUFFER = 64


@dataclass(frozen=True, slots=True)
class TensorFact:
    """One tensor as the interpreter states it: `size_bytes` unpadded, `dtype` as in numpy."""

    shape: tuple[int, ...]
    dtype: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class OperatorFact:
    """One operator with the indices of the tensors that it reads and writes."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A network's graph, in the order in which its operators run."""

    tensors: Mapping[int, TensorFact]
    operators: Sequence[OperatorFact]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes that must be kept from operator `first` to operator `last`, both included."""

    size_bytes: int
    first: int
    last: int

    def overlaps(self, other: Buffer) -> bool:
        """Whether both are alive at some operator."""
        return self.first <= other.last and other.first <= self.last


def arena_bytes(graph: Graph, kernels: str) -> int:
    """The arena that the network needs under these kernels, in bytes."""
    buffers = [*activations(graph), *_scratch_buffers(graph, kernels)]
    planning = _PLANNER_BYTES + _PLANNER_BYTES_PER_BUFFER * len(buffers)
    return max(planned_bytes(buffers), planning) + _structure_bytes(graph)


def activations(graph: Graph) -> list[Buffer]:
    """The lifetime of each tensor that is computed, and of each input."""
    first = dict.fromkeys(graph.inputs, 0)
    last = dict(first)
    for position, operator in enumerate(graph.operators):
        for tensor in operator.outputs:
            first.setdefault(tensor, position)
            last[tensor] = position
        last.update({tensor: position for tensor in operator.inputs if tensor in first})
    end = max(len(graph.operators) - 1, 0)
    last.update(dict.fromkeys(graph.outputs, end))
    return [
        Buffer(_aligned(graph.tensors[tensor].size_bytes), begin, last[tensor])
        for tensor, begin in first.items()
    ]


def planned_bytes(buffers: Sequence[Buffer]) -> int:
    """The height of the greedy layout of `buffers`."""
    placed: list[tuple[int, Buffer]] = []
    for buffer in sorted(buffers, key=lambda each: (-each.size_bytes, each.first)):
        placed.append((_lowest_gap(buffer, placed), buffer))
    return max((offset + buffer.size_bytes for offset, buffer in placed), default=0)


def _lowest_gap(buffer: Buffer, placed: Sequence[tuple[int, Buffer]]) -> int:
    offset = 0
    for start, other in sorted((p for p in placed if p[1].overlaps(buffer)), key=lambda p: p[0]):
        if start - offset >= buffer.size_bytes:
            break
        offset = max(offset, start + other.size_bytes)
    return offset


def _scratch_buffers(graph: Graph, kernels: str) -> Iterator[Buffer]:
    """What optimised int8 kernels ask for beside the tensors; reference kernels ask for nothing."""
    if kernels == "reference":
        return
    for position, operator in enumerate(graph.operators):
        source = graph.tensors[operator.inputs[0]] if operator.inputs else None
        if source is not None and source.dtype == "int8":
            size = _scratch_bytes(operator, source, graph.tensors)
            if size:
                yield Buffer(_aligned(size), position, position)


def _scratch_bytes(
    operator: OperatorFact, source: TensorFact, tensors: Mapping[int, TensorFact]
) -> int:
    """CMSIS-NN's `*_get_buffer_size_dsp`: two columns of the filter as int16, or a row of sums."""
    if operator.name == "AVERAGE_POOL_2D":
        return 4 * source.shape[-1]
    if operator.name not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return 0
    _, height, width, depth = tensors[operator.inputs[1]].shape
    if operator.name == "CONV_2D":
        column = -(-height * width * depth // 4) * 4
        return 0 if height == width == 1 else 2 * column * 2
    if source.shape[-1] != depth or height == width == 3:
        return 0
    return 2 * height * width * depth


def _structure_bytes(graph: Graph) -> int:
    """Tensor and node structures, and multiplier and shift of each convolution channel."""
    channels = sum(
        graph.tensors[operator.outputs[0]].shape[-1]
        for operator in graph.operators
        if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D")
    )
    return (
        _FIXED_BYTES
        + _BYTES_PER_TENSOR * len(graph.tensors)
        + _BYTES_PER_OPERATOR * len(graph.operators)
        + _BYTES_PER_CHANNEL * channels
    )


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
