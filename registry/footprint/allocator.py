"""A simulation of TFLite Micro's arena: what lies where, and how large it must be.

The arena grows from both ends: persistent data from the tail downwards, planned buffers and
temporary data from the head upwards. It is large enough when the two never met. Rules:
tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.cc.
"""

from __future__ import annotations

from collections import Counter

from registry.footprint.planner import aligned

# What kernels get for themselves is aligned so (MicroArenaBufferAlignment).
BUFFER_ALIGNMENT = 16


class ArenaSimulation:
    """Positions in bytes: `_tail` from the end, `_head` and `_temporary` from the start.

    The end is taken to be aligned to 16 bytes, as an arena's size is.
    """

    def __init__(self) -> None:
        self._tail = 0
        self._head = 0
        self._temporary = 0
        self._spare = 0
        self.required = 0
        self.parts: Counter[str] = Counter()

    @property
    def persistent(self) -> int:
        """Bytes of the tail in use."""
        return self._tail

    def keep(self, part: str, size: int, alignment: int = BUFFER_ALIGNMENT) -> None:
        """Persistent bytes, counted under `part` with the gap that alignment leaves.

        The runtime looks only for the head; but a kernel that writes over what it borrowed cannot
        give that back, and fails.
        """
        before = self._tail
        self._tail = aligned(before + size, alignment)
        self.parts[part] += self._tail - before
        self._demand(max(self._head, self._temporary - self._spare))

    def borrow(self, size: int, alignment: int = 4, spare: int = 0) -> None:
        """Temporary bytes above the head, until `give_back`.

        The last `spare` of all that is borrowed does no harm when it is written over.
        """
        self._temporary = aligned(self._temporary, alignment) + size
        self._demand(self._temporary)
        self._spare = spare

    def set_head(self, size: int) -> None:
        """Resize what lies at the start; gives back what was borrowed."""
        self._head = size
        self._temporary = size
        self._spare = 0
        self._demand(size)

    def give_back(self) -> None:
        """All temporary bytes are free again."""
        self._temporary = self._head

    def require_between(self, size: int) -> None:
        """Demand `size` bytes between head and tail, both ends aligned to 16."""
        needed = aligned(self._temporary, 16) + size + aligned(self._tail, 16)
        self.required = max(self.required, needed)

    def _demand(self, lower: int) -> None:
        self.required = max(self.required, lower + self._tail)
