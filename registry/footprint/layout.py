"""How large the runtime's structures are: from their members, by a machine's rules of C.

A structure is written as the letters of its members in order, a count before a letter repeating it:

    e enumeration   ? bool   b int8   h int16   i int32   f float   q int64   d double
    P pointer or size_t
    c int32 or D pointer that only the newer runtime has, which is built to decompress tensors

so that one description gives the size on the 32-bit core that is predicted for and on the 64-bit
computer on which the same runtime can be asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from registry.footprint.planner import aligned

_FIXED = {"?": 1, "b": 1, "h": 2, "i": 4, "f": 4, "q": 8, "d": 8}
_MEMBERS = re.compile(r"(\d*)([e?bhifqdPcD])")


@dataclass(frozen=True, slots=True)
class Layout:
    """A machine's sizes in bytes, and the objects with which an interpreter begins there."""

    pointer: int
    enumeration: int
    decompresses: bool
    runtime_objects: tuple[str, ...]

    def size_and_alignment(self, members: str) -> tuple[int, int]:
        """Of a structure with these members; (0, 1) where it has none."""
        return _size_and_alignment(self.pointer, self.enumeration, self.decompresses, members)

    def size(self, members: str) -> int:
        """Of a structure with these members, in bytes."""
        return self.size_and_alignment(members)[0]


@lru_cache(maxsize=1024)
def _size_and_alignment(
    pointer: int, enumeration: int, decompresses: bool, members: str
) -> tuple[int, int]:
    sizes = {**_FIXED, "e": enumeration, "P": pointer}
    sizes |= {"c": 4, "D": pointer} if decompresses else {"c": 0, "D": 0}
    size, alignment = 0, 1
    for count, letter in _MEMBERS.findall(members):
        each = sizes[letter]
        if not each:
            continue
        size = aligned(size, each) + each * int(count or 1)
        alignment = max(alignment, each)
    return aligned(size, alignment), alignment


# Arena allocator, planner, tensor allocator, options allocator.
# On Arm, enumerations are as short as their values allow.
CORTEX_M = Layout(4, 1, False, ("8Pi", "P2i4P2iP?", "5P?3P", "2P"))
# The Python package's runtime: its allocators also record what they allocate.
HOST_64 = Layout(8, 4, True, ("8Pi4P", "P2i4P2iP?", "5P?28P", "2P"))
