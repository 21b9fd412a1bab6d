"""A small pool of reader processes: queries with limits that hold, because it kills."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from ontology.child_process import ChildProcess
from ontology.places import NoPlace, Places
from ontology.query_request import Request
from ontology.reader import SOURCE
from ontology.warm_processes import WarmProcesses


class QueryFailed(Exception):
    """A query that gave no answer.

    `kind` is syntax, dataset, format, time, memory, rows, size, busy, store or failed.
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        line: int | None = None,
        column: int | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.line = line
        self.column = column
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may take, and how many its asker may have running."""

    time_s: float
    memory_bytes: int
    rows: int
    at_once: int = 1
    answer_bytes: int = 64 * 1024 * 1024
    wait_s: float = math.inf  # for a place; the time limit bounds it too


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose share of the places a query takes, and its limits."""

    name: str
    limits: QueryLimits


class ReaderPool:
    """At most `size` queries at once, each in a process of its own that is killed at its limit.

    `store` is a folder of our own or the address of another store. Of the places, the last `kept`
    are for askers who have nothing running; `warm` readers, places permitting, are started before
    they are needed. A reader that ended well and soon serves again. Safe to call from several
    threads.
    """

    def __init__(self, store: Path | str, size: int, kept: int = 0, warm: int = 0) -> None:
        self._source = str(store)
        self._places = Places(size, kept)
        self._readers = WarmProcesses(self._start, lambda: min(warm, size - self._places.taken))

    def warm_up(self) -> None:
        """Start the readers that are kept ready."""
        self._readers.fill_up()

    def run(
        self,
        query: str,
        media_type: str,
        asker: Asker,
        default_graphs: tuple[str, ...] = (),
        named_graphs: tuple[str, ...] = (),
        began: float | None = None,
    ) -> bytes:
        """The answer in that media type; QueryFailed where there is none within the limits.

        The time limit runs from `began` (time.monotonic(), else now), waiting for a place included.
        """
        limits = asker.limits
        until = limits.time_s + (time.monotonic() if began is None else began)
        request = Request(
            query=query,
            media_type=media_type,
            max_rows=limits.rows,
            max_bytes=limits.answer_bytes,
            memory_bytes=limits.memory_bytes,
            cpu_s=limits.time_s,
            default_graphs=default_graphs,
            named_graphs=named_graphs,
        )
        try:
            with self._places.one(asker.name, limits.at_once, min(limits.wait_s, limits.time_s)):
                return self._run(request, limits, until)
        except NoPlace as error:
            raise _busy(error, limits) from error
        finally:
            self._readers.fill_up()

    def close(self) -> None:
        """End the idle readers, and those that run when they have answered."""
        self._readers.close()

    def _start(self) -> ChildProcess:
        return ChildProcess("ontology.reader", environment={SOURCE: self._source})

    def _run(self, request: Request, limits: QueryLimits, until: float) -> bytes:
        reader = self._readers.take()
        try:
            head, body = reader.ask(until - time.monotonic(), orjson.dumps(asdict(request)))
        except TimeoutError as error:
            reader.kill()
            detail = f"the query did not end within its limit of {limits.time_s:g} s"
            raise QueryFailed("time", detail) from error
        except (EOFError, BrokenPipeError) as error:
            raise _death(reader.kill(), limits) from error
        except BaseException:
            reader.kill()
            raise
        if head["serves_again"]:
            self._readers.give_back(reader)
        else:
            reader.kill()
        if head["status"] != "ok":
            raise _failure(head, limits)
        return body


def _busy(error: NoPlace, limits: QueryLimits) -> QueryFailed:
    waited = f"none ended within {min(limits.wait_s, limits.time_s):g} s"
    if error.own:
        held = f"your share of {limits.at_once} queries at once is taken"
    else:
        held = "other users' queries hold every place"
    # By then whatever runs now has ended or was ended.
    after_s = math.ceil(limits.time_s)
    detail = f"{held}, and {waited}; a query is ended after {limits.time_s:g} s"
    return QueryFailed("busy", detail, retry_after_s=after_s)


def _death(status: int, limits: QueryLimits) -> QueryFailed:
    megabytes = limits.memory_bytes // 1_000_000
    if status < 0:
        detail = f"the query needed more than its limit of {megabytes} MB or of stack depth"
        return QueryFailed("memory", detail)
    return QueryFailed("failed", f"the reader ended with status {status}")


def _failure(head: dict[str, Any], limits: QueryLimits) -> QueryFailed:
    status = head["status"]
    if status == "too_many_rows":
        detail = f"the answer has more rows than the limit of {limits.rows:,}; add a LIMIT"
        return QueryFailed("rows", detail)
    if status == "too_long":
        detail = f"the answer is longer than the limit of {limits.answer_bytes:,} bytes"
        return QueryFailed("size", detail)
    if status == "memory":
        return _death(-1, limits)
    return QueryFailed(status, head["detail"], head.get("line"), head.get("column"))
