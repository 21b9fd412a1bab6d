"""Long lists in pieces, where one statement or one projection cannot take all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
# SQLite bounds the number of parameters of one statement.
CHUNK = 500


def chunks(items: Sequence[Item], size: int = CHUNK) -> Iterator[Sequence[Item]]:
    """Runs of at most `size`; by default as many as one statement can name."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
