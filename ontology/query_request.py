"""One query on its way to a reader, and why a store may not answer it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One query with everything that bounds its answer."""

    query: str
    media_type: str
    max_rows: int
    max_bytes: int
    memory_bytes: int
    cpu_s: float
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()


class StoreFailed(Exception):
    """The store does not answer, or not as it should."""
