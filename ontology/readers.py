"""A small pool of reader processes: queries with a time limit that holds, because it kills."""

from __future__ import annotations

import queue
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from ontology.child_process import ChildProcess
from ontology.reader import Request


class QueryFailed(Exception):
    """A query that gave no answer.

    `kind` is syntax, dataset, format, time, memory, rows, busy or failed.
    """

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
        self._idle: queue.SimpleQueue[ChildProcess] = queue.SimpleQueue()
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
            head, body = reader.ask(limits.time_s, orjson.dumps(asdict(request)))
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

    def _reader(self) -> ChildProcess:
        while True:
            try:
                reader = self._idle.get_nowait()
            except queue.Empty:
                return ChildProcess("ontology.reader", str(self._store))
            if reader.alive:
                return reader
            reader.kill()


def _death(status: int, limits: QueryLimits) -> QueryFailed:
    megabytes = limits.memory_bytes // 1_000_000
    if status < 0:
        detail = f"the query needed more than its limit of {megabytes} MB or of stack depth"
        return QueryFailed("memory", detail)
    return QueryFailed("failed", f"the reader ended with status {status}")


def _failure(head: dict[str, Any], limits: QueryLimits) -> QueryFailed:
    if head["status"] == "syntax":
        return QueryFailed("syntax", head["detail"], head.get("line"), head.get("column"))
    if head["status"] in {"dataset", "format"}:
        return QueryFailed(head["status"], head["detail"])
    if head["status"] == "too_many_rows":
        detail = f"the answer has more rows than the limit of {limits.rows:,}; add a LIMIT"
        return QueryFailed("rows", detail)
    if head["status"] == "memory":
        return _death(-1, limits)
    return QueryFailed("failed", head.get("detail", "the query failed"))
