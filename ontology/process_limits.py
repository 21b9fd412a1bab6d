"""What a child process may take, set by itself before it touches what it was given."""

from __future__ import annotations

import resource
from pathlib import Path


def limit_memory(more_bytes: int) -> None:
    """From here on, this process may map at most so many bytes more of writable memory."""
    set_soft_limit(resource.RLIMIT_DATA, data_bytes() + more_bytes)


def limit_cpu(more_s: float) -> None:
    """From here on, this process may compute for at most so many seconds, rounded up."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    set_soft_limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + more_s) + 2)


def set_soft_limit(kind: int, soft: int) -> None:
    """A limit that this process may raise again, up to the one that it was started with."""
    resource.setrlimit(kind, (soft, resource.getrlimit(kind)[1]))


def data_bytes() -> int:
    """The private writable memory that this process has mapped, which RLIMIT_DATA counts."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmData:")[2].split()[0]) * 1024
