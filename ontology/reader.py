"""A process that answers one query at a time from a store, and may be killed for it.

Run as `python -m ontology.reader` with the store, a folder or an address, in the environment. It
reads requests from standard input and writes answers to standard output, each a length (4 bytes,
big-endian) and that many bytes. A store on disk it opens read-only (about 20 ms) and again whenever
a file of it has changed, so it sees what was committed before the query came and can harm nothing;
for such a store it gives up the network. It ends when its input does, even in the middle of a
query.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import sys
import threading
from typing import Any, BinaryIO, Protocol

import orjson
import pyoxigraph as ox

from ontology.frames import read_frame, send
from ontology.local_store import LocalStore
from ontology.no_network import give_up_network
from ontology.process_limits import (
    be_first_to_go,
    give_way,
    limit_cpu,
    limit_memory,
    limit_stack,
    set_soft_limit,
)
from ontology.query_dataset import UnknownGraph
from ontology.query_errors import located
from ontology.query_request import Request, StoreFailed
from ontology.results import (
    GraphFormat,
    NotWritable,
    PerhapsTooManyRows,
    TableFormat,
    TooManyRows,
    write_boolean,
    write_graph,
    write_json,
    write_solutions,
)

SOURCE = "GRAPH_SOURCE"  # in the environment: an address may hold a password, which ps would show
_MORE_TRIES = 2
_PATIENCE_S = 0.25  # then a query gives way to whatever else wants the processor


class TooManyBytes(Exception):
    """The answer is longer than the limit."""


class Store(Protocol):
    """Where a query is asked."""

    def prepare(self) -> None:
        """Do what is not the query's to pay for."""
        ...

    def query(self, request: Request) -> Any:
        """Solutions, a boolean or triples."""
        ...


def serve(source: str, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the input ends."""
    be_first_to_go()
    limit_stack()
    store = _store(source)
    with contextlib.suppress(OSError, RuntimeError):  # the query that needs it will say so
        store.prepare()
    while frame := read_frame(requests):
        with _Lifeline(requests) as lifeline:
            head, body = _answer(store, Request(**orjson.loads(frame)))
        send(answers, head | {"serves_again": not lifeline.gave_way}, body)


def _store(source: str) -> Store:
    if source.startswith(("http://", "https://")):
        from ontology.remote_store import RemoteStore  # slow to import, and most need it not

        return RemoteStore(source)
    give_up_network()
    return LocalStore(source)


class _Lifeline:
    """While a query runs, watch for the end of input, which says that nobody waits any more.

    A query that takes long gives way to others. That cannot be taken back without rights, so the
    process is of no use for the next one.
    """

    def __init__(self, requests: BinaryIO) -> None:
        self.gave_way = False
        self._input = requests.fileno()
        self._wake, self._done = os.pipe()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Lifeline:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._done)
        self._thread.join()
        os.close(self._wake)

    def _watch(self) -> None:
        watched = [self._input, self._wake]
        readable, _, _ = select.select(watched, [], [], _PATIENCE_S)
        if not readable:
            self.gave_way = True
            give_way()
            readable, _, _ = select.select(watched, [], [])
        # The peer never sends during a query, so readable input can only be its end.
        if self._wake not in readable:
            os._exit(1)


def _answer(store: Store, request: Request) -> tuple[dict[str, Any], bytes]:
    try:
        return {"status": "ok"}, _evaluate_what_is_there(store, request)
    except SyntaxError as error:
        return _syntax_error(str(error)), b""
    except TooManyRows:
        return {"status": "too_many_rows"}, b""
    except TooManyBytes:
        return {"status": "too_long"}, b""
    except MemoryError:
        return {"status": "memory"}, b""
    except tuple(_STATUSES) as error:
        return {"status": _STATUSES[type(error)], "detail": _said(error)}, b""
    except (ValueError, OSError, RuntimeError) as error:
        return {"status": "failed", "detail": str(error)}, b""


_STATUSES: dict[type[Exception], str] = {
    UnknownGraph: "dataset",
    NotWritable: "format",
    StoreFailed: "store",
}


def _said(error: Exception) -> str:
    return f"{error}; ask for another format" if isinstance(error, NotWritable) else str(error)


def _evaluate_what_is_there(store: Store, request: Request) -> bytes:
    """Again where the writer has merged tables away after they were opened and before their use."""
    for _ in range(_MORE_TRIES):
        with contextlib.suppress(FileNotFoundError):
            return _evaluate(store, request)
    return _evaluate(store, request)


def _evaluate(store: Store, request: Request) -> bytes:
    set_soft_limit(resource.RLIMIT_DATA, resource.RLIM_INFINITY)
    store.prepare()
    # Only now: opening starts the engine's threads, whose stacks are not the query's.
    limit_memory(request.memory_bytes)
    limit_cpu(request.cpu_s)
    answer = _written(store, request)
    if len(answer) > request.max_bytes:
        raise TooManyBytes
    return answer


def _written(store: Store, request: Request) -> bytes:
    result = store.query(request)
    if isinstance(result, ox.QueryBoolean):
        return write_boolean(bool(result), TableFormat(request.media_type))
    if not isinstance(result, ox.QuerySolutions):
        return write_graph(result, GraphFormat(request.media_type), request.max_rows)
    form = TableFormat(request.media_type)
    if form is TableFormat.JSON:
        try:
            return write_json(result, request.max_rows)
        except PerhapsTooManyRows:
            result = store.query(request)
    names = [variable.value for variable in result.variables]
    rows = (list(solution) for solution in result)
    return write_solutions(names, rows, form, request.max_rows)


def _syntax_error(text: str) -> dict[str, Any]:
    detail, line, column = located(text)
    return {"status": "syntax", "detail": detail, "line": line, "column": column}


if __name__ == "__main__":
    serve(os.environ[SOURCE], os.fdopen(0, "rb", buffering=0, closefd=False), sys.stdout.buffer)
