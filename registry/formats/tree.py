"""What readers of nested formats share: nodes, the path to one, and what reading may cost."""

from __future__ import annotations

from typing import Any, TypeAlias

from registry.formats.errors import FormatError

# A table or message: its fields by name.
Node: TypeAlias = dict[str, Any]
# A path from the root as linked tuples (parent, name[, index]): cheap to extend, seldom spelt out.
Where: TypeAlias = tuple[Any, ...]

# What one file's structure (all but the contents of its buffers) may cost to read, in bytes.
STRUCTURE_MAX_BYTES = 8 * 1024 * 1024


def path_text(where: Where) -> str:
    """`(((), "subgraphs", 0), "tensors", 3)` as `subgraphs[0].tensors[3]`."""
    parts: list[str] = []
    while where:
        parent, name, *index = where
        parts.append(f"{name}[{index[0]}]" if index else str(name))
        where = parent
    return ".".join(reversed(parts)) or "the start of the file"


class StructureBudget:
    """What is left of the reading that one file may cost; a bomb runs out of it."""

    def __init__(self) -> None:
        self._left_bytes = STRUCTURE_MAX_BYTES

    def spend(self, cost_bytes: int, where: Where) -> None:
        """Take from it; FormatError where nothing is left."""
        self._left_bytes -= cost_bytes
        if self._left_bytes < 0:
            raise FormatError(
                f"the file's structure takes more than {STRUCTURE_MAX_BYTES} bytes to read",
                path_text(where),
                "Bring a network for a microcontroller; no such one is so large.",
            )
