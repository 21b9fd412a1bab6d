"""What a child process may take, set by itself before it touches what it was given."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

_STACK_BYTES = 8 * 1024 * 1024  # what Linux gives by default
_LAST = 19  # nice(2): about 1.5 % of what a process of ordinary priority gets beside it


def limit_memory(more_bytes: int) -> None:
    """From here on, this process may map at most so many bytes more of writable memory."""
    set_soft_limit(resource.RLIMIT_DATA, data_bytes() + more_bytes)


def limit_cpu(more_s: float) -> None:
    """From here on, this process may compute for at most so many seconds, rounded up."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    set_soft_limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + more_s) + 2)


def limit_stack() -> None:
    """From here on, this process recurses no deeper than so, and dies of it without a trace.

    Where the stack has no limit, an endless recursion takes memory that no other limit counts.
    """
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    soft = _STACK_BYTES if hard == resource.RLIM_INFINITY else min(hard, _STACK_BYTES)
    set_soft_limit(resource.RLIMIT_STACK, soft)
    set_soft_limit(resource.RLIMIT_CORE, 0)


def give_way() -> None:
    """From here on, the first thread of this process computes when nobody else wants to."""
    os.setpriority(os.PRIO_PROCESS, os.getpid(), _LAST)


def be_first_to_go() -> None:
    """Where the machine's memory ends, Linux is to end this process and not the one it serves."""
    with contextlib.suppress(OSError):  # only Linux knows it, and a container may forbid it
        Path("/proc/self/oom_score_adj").write_text("1000")


def set_soft_limit(kind: int, soft: int) -> None:
    """A limit that this process may raise again, up to the one that it was started with."""
    resource.setrlimit(kind, (soft, resource.getrlimit(kind)[1]))


def data_bytes() -> int:
    """The private writable memory that this process has mapped, which RLIMIT_DATA counts."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmData:")[2].split()[0]) * 1024
