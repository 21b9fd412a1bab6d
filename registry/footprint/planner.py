"""The greedy memory planner of TFLite Micro: where each buffer lies in the arena's head.

Its rule (tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc, and Pisarchyk and Lee,
"Efficient Memory Management for Deep Neural Net Inference", 2020, "greedy by size"): take the
buffers from the largest to the smallest and put each into the first gap, among those placed before
that live at the same time, that holds it.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class Buffer:
    """What the planner is asked for: bytes, and the first and last step that uses them.

    `offset` is where an offline plan in the file puts it; None leaves the choice to the planner.
    """

    name: str
    size: int
    first: int
    last: int
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """A buffer and its place in the head, in bytes from its start."""

    buffer: Buffer
    offset: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.buffer.size


def aligned(size: int, alignment: int = ALIGNMENT) -> int:
    """`size` rounded up to a multiple of `alignment`."""
    return -(-size // alignment) * alignment


def place(buffers: Sequence[Buffer]) -> tuple[Placement, ...]:
    """Where TFLite Micro puts each buffer, in the order given. Sizes are aligned by the caller."""
    placed: list[Placement] = []
    offsets = [0] * len(buffers)
    for number in _order(buffers):
        buffer = buffers[number]
        offset = _lowest_gap(buffer, placed) if buffer.offset is None else buffer.offset
        offsets[number] = offset
        insort(placed, Placement(buffer, offset), key=lambda placement: placement.offset)
    return tuple(map(Placement, buffers, offsets))


def height(placements: Sequence[Placement]) -> int:
    """The bytes of head that a plan takes."""
    return max((placement.end for placement in placements), default=0)


def _order(buffers: Sequence[Buffer]) -> list[int]:
    """Offline placements as they come, then by size; of equal ones the last asked for is first."""
    fixed = [number for number, buffer in enumerate(buffers) if buffer.offset is not None]
    free = [number for number, buffer in enumerate(buffers) if buffer.offset is None]
    return fixed + sorted(free, key=lambda number: (-buffers[number].size, -number))


def _lowest_gap(buffer: Buffer, placed: Sequence[Placement]) -> int:
    """The lowest offset at which no buffer of the same time is in the way."""
    offset = 0
    for other in placed:
        if other.buffer.first > buffer.last or buffer.first > other.buffer.last:
            continue
        if other.offset - offset >= buffer.size:
            break
        offset = max(offset, other.end)
    return offset
