"""What the files of a store look like from outside, which changes with every commit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

StoreFiles: TypeAlias = frozenset[tuple[str, int, int]]  # name, bytes, nanoseconds


def store_files(path: str | Path) -> StoreFiles:
    """Name, size and time of each file; RocksDB's own log of events says nothing of data.

    A commit lengthens the write-ahead log, so equal looks mean equal data. OSError without a store.
    """
    with os.scandir(path) as entries:
        return frozenset(_look_at(each) for each in entries if not each.name.startswith("LO"))


def _look_at(entry: os.DirEntry[str]) -> tuple[str, int, int]:
    try:
        stat = entry.stat()
    except FileNotFoundError:  # the writer has just removed it
        return entry.name, 0, 0
    return entry.name, stat.st_size, stat.st_mtime_ns
