"""A process of our own that is asked over pipes, and killed where it takes too long."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from ontology.frames import LENGTH


class ChildProcess:
    """`python -m MODULE ARGUMENTS`, which answers each request with a head and a body."""

    def __init__(
        self, module: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """The settings of this installation, some of them secret, are kept from the child."""
        inherited = {key: value for key, value in os.environ.items() if "TINYFLEET" not in key}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=Path(__file__).resolve().parent.parent,
            env={**inherited, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, time_s: float, *frames: bytes) -> tuple[dict[str, Any], bytes]:
        """Head and body; TimeoutError beyond `time_s`, EOFError where the process died."""
        until = time.monotonic() + time_s
        assert self._process.stdin is not None
        for frame in frames:
            self._process.stdin.write(LENGTH.pack(len(frame)) + frame)
        self._process.stdin.flush()
        return orjson.loads(self._frame(until)), self._frame(until)

    def kill(self) -> int:
        """End it at once; its exit status, negative for a signal."""
        if self._process.poll() is None:
            self._process.kill()
        status = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # what it never read goes with it
                    stream.close()
        return status

    def _frame(self, until: float) -> bytes:
        return self._exactly(LENGTH.unpack(self._exactly(LENGTH.size, until))[0], until)

    def _exactly(self, count: int, until: float) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        parts = bytearray()
        while len(parts) < count:
            if not _readable(descriptor, until):
                raise TimeoutError
            piece = os.read(descriptor, min(count - len(parts), 1 << 20))
            if not piece:
                raise EOFError
            parts += piece
        return bytes(parts)


def _readable(descriptor: int, until: float) -> bool:
    # poll, not select: a busy server's descriptors go beyond 1,023.
    waiter = select.poll()
    waiter.register(descriptor, select.POLLIN | select.POLLHUP)
    return bool(waiter.poll(max(0.0, until - time.monotonic()) * 1000))
