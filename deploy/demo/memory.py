"""How much memory a tree of processes takes."""

from __future__ import annotations

import psutil


class PeakMemory:
    """The largest sum of PSS seen over this process and all below it.

    PSS (proportional set size) counts a page shared by n processes as 1/n in each, so the sum is
    what the whole really takes.
    """

    def __init__(self) -> None:
        self._root = psutil.Process()
        self.peak_bytes = 0

    def sample(self) -> int:
        """Measure now; bytes."""
        processes = [self._root, *self._root.children(recursive=True)]
        total = sum(_pss_bytes(process) for process in processes)
        self.peak_bytes = max(self.peak_bytes, total)
        return total


def _pss_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0  # it ended while we looked
