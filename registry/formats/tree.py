"""What readers of nested formats share: nodes, the path to one, and what reading may cost."""

from __future__ import annotations

from typing import Any, TypeAlias

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
