"""A small pool of reader processes: queries with a time limit that holds, because it kills."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from ontology.reader import LENGTH, Request


class QueryFailed(Exception):
    """A query that gave no answer. `kind` is syntax, time, memory, rows, busy or failed."""

    def __init__(
        self, kind: str, detail: str, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may take."""

    time_s: float
    memory_bytes: int
    rows: int


class ReaderPool:
    """At most `size` queries at once, each in a process of its own that is killed at its limit.

    A reader that ended well serves again; one that was killed is replaced at the next need. Safe to
    call from several threads.
    """

    def __init__(self, store: Path, size: int) -> None:
        self._store = store
        self._idle: queue.SimpleQueue[_Reader] = queue.SimpleQueue()
        self._places = threading.BoundedSemaphore(size)

    def run(
        self,
        query: str,
        media_type: str,
        limits: QueryLimits,
        default_graphs: tuple[str, ...] = (),
        named_graphs: tuple[str, ...] = (),
    ) -> bytes:
        """The answer in that media type; QueryFailed where there is none within the limits."""
        if not self._places.acquire(timeout=limits.time_s):
            raise QueryFailed("busy", f"no reader became free within {limits.time_s:g} s")
        try:
            request = Request(
                query=query,
                media_type=media_type,
                max_rows=limits.rows,
                memory_bytes=limits.memory_bytes,
                cpu_s=limits.time_s,
                default_graphs=default_graphs,
                named_graphs=named_graphs,
            )
            return self._run(request, limits)
        finally:
            self._places.release()

    def close(self) -> None:
        """End the idle readers."""
        while True:
            try:
                self._idle.get_nowait().kill()
            except queue.Empty:
                return

    def _run(self, request: Request, limits: QueryLimits) -> bytes:
        reader = self._reader()
        try:
            head, body = reader.ask(request, limits.time_s)
        except TimeoutError as error:
            reader.kill()
            detail = f"the query did not end within its limit of {limits.time_s:g} s"
            raise QueryFailed("time", detail) from error
        except (EOFError, BrokenPipeError) as error:
            raise _death(reader.kill(), limits) from error
        self._idle.put(reader)
        if head["status"] != "ok":
            raise _failure(head, limits)
        return body

    def _reader(self) -> _Reader:
        while True:
            try:
                reader = self._idle.get_nowait()
            except queue.Empty:
                return _Reader(self._store)
            if reader.alive:
                return reader
            reader.kill()


class _Reader:
    def __init__(self, store: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ontology.reader", str(store)],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: Request, time_s: float) -> tuple[dict[str, Any], bytes]:
        """Head and body; TimeoutError beyond `time_s`, EOFError where the process died."""
        until = time.monotonic() + time_s
        frame = orjson.dumps(asdict(request))
        assert self._process.stdin is not None
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


def _death(status: int, limits: QueryLimits) -> QueryFailed:
    megabytes = limits.memory_bytes // 1_000_000
    if status < 0:
        detail = f"the query needed more than its limit of {megabytes} MB or of stack depth"
        return QueryFailed("memory", detail)
    return QueryFailed("failed", f"the reader ended with status {status}")


def _failure(head: dict[str, Any], limits: QueryLimits) -> QueryFailed:
    if head["status"] == "syntax":
        return QueryFailed("syntax", head["detail"], head.get("line"), head.get("column"))
    if head["status"] == "too_many_rows":
        detail = f"the answer has more rows than the limit of {limits.rows:,}; add a LIMIT"
        return QueryFailed("rows", detail)
    if head["status"] == "memory":
        return _death(-1, limits)
    return QueryFailed("failed", head.get("detail", "the query failed"))
