"""A process that answers one query at a time from the store on disk, and may be killed for it.

Run as `python -m ontology.reader STORE`. It reads requests from standard input and writes answers
to standard output, each a length (4 bytes, big-endian) and that many bytes. It opens the store
read-only (about 20 ms) and again whenever a file of it has changed, so it sees what was committed
before the query came and can harm nothing. It ends when its input does, even in the middle of a
query.
"""

from __future__ import annotations

import os
import resource
import select
import sys
import threading
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson
import pyoxigraph as ox

from ontology.frames import read_frame, send
from ontology.process_limits import limit_cpu, limit_memory, set_soft_limit
from ontology.query_dataset import BASE_IRI, UnknownGraph, graphs_of
from ontology.query_errors import located
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
from ontology.store_files import StoreFiles, store_files


@dataclass(frozen=True, slots=True)
class Request:
    """One query with everything that bounds its answer."""

    query: str
    media_type: str
    max_rows: int
    memory_bytes: int
    cpu_s: float
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()


def serve(path: str, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the input ends."""
    opened = OpenStore(path)
    while frame := read_frame(requests):
        with _Lifeline(requests):
            head, body = _answer(opened, Request(**orjson.loads(frame)))
        send(answers, head, body)


class OpenStore:
    """The store on disk as it is now, opened anew only when its files are others than before."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._files: StoreFiles = frozenset()
        self._store: ox.Store | None = None

    def current(self) -> ox.Store:
        """The store with everything that was committed before this call.

        The files are looked at before they are opened: what is committed in between is seen now,
        and opened for once more at the next call.
        """
        files = store_files(self._path)
        while self._store is None or files != self._files:
            self._store = None  # closed first, so that two are never open at once
            try:
                self._store, self._files = ox.Store.read_only(self._path), files
            except (OSError, RuntimeError):
                # The writer may have removed a file between two looks of the engine.
                before, files = files, store_files(self._path)
                if files == before:
                    raise
        return self._store


class _Lifeline:
    """While a query runs, watch for the end of input, which says that nobody waits any more."""

    def __init__(self, requests: BinaryIO) -> None:
        self._input = requests.fileno()
        self._wake, self._done = os.pipe()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        os.close(self._done)
        self._thread.join()
        os.close(self._wake)

    def _watch(self) -> None:
        readable, _, _ = select.select([self._input, self._wake], [], [])
        # The peer never sends during a query, so readable input can only be its end.
        if self._wake not in readable:
            os._exit(1)


def _answer(opened: OpenStore, request: Request) -> tuple[dict[str, Any], bytes]:
    try:
        return {"status": "ok"}, _evaluate(opened, request)
    except SyntaxError as error:
        return _syntax_error(str(error)), b""
    except UnknownGraph as error:
        return {"status": "dataset", "detail": str(error)}, b""
    except NotWritable as error:
        return {"status": "format", "detail": f"{error}; ask for another format"}, b""
    except TooManyRows:
        return {"status": "too_many_rows"}, b""
    except MemoryError:
        return {"status": "memory"}, b""
    except (ValueError, OSError, RuntimeError) as error:
        return {"status": "failed", "detail": str(error)}, b""


def _evaluate(opened: OpenStore, request: Request) -> bytes:
    set_soft_limit(resource.RLIMIT_DATA, resource.RLIM_INFINITY)
    store = opened.current()
    # Only now: opening starts the engine's threads, whose stacks are not the query's.
    limit_memory(request.memory_bytes)
    limit_cpu(request.cpu_s)
    result = _query(store, request)
    if isinstance(result, ox.QueryBoolean):
        return write_boolean(bool(result), TableFormat(request.media_type))
    if isinstance(result, ox.QueryTriples):
        return write_graph(result, GraphFormat(request.media_type), request.max_rows)
    form = TableFormat(request.media_type)
    if form is TableFormat.JSON:
        try:
            return write_json(result, request.max_rows)
        except PerhapsTooManyRows:
            result = _query(store, request)
    names = [variable.value for variable in result.variables]
    rows = (list(solution) for solution in result)
    return write_solutions(names, rows, form, request.max_rows)


def _query(store: ox.Store, request: Request) -> Any:
    return store.query(request.query, base_iri=BASE_IRI, **_dataset(store, request))


def _dataset(store: ox.Store, request: Request) -> dict[str, Any]:
    """The protocol's dataset (SPARQL 1.1 Protocol, 2.1.4), or the query's own, or all graphs.

    A graph that a parameter names and the store has not is empty: a store keeps no empty graphs, so
    the two are the same. FROM says by the letter that a document is to be read, so it is refused.
    """
    if not request.default_graphs and not request.named_graphs:
        own = graphs_of(request.query)
        for iri in own:
            if not _holds(store, iri):
                raise UnknownGraph(iri)
        return {"use_default_graph_as_union": not own}
    return {
        "default_graph": [ox.NamedNode(iri) for iri in request.default_graphs],
        "named_graphs": [ox.NamedNode(iri) for iri in request.named_graphs],
    }


def _holds(store: ox.Store, iri: str) -> bool:
    try:
        return store.contains_named_graph(ox.NamedNode(iri))
    except ValueError:  # no IRI at all
        return False


def _syntax_error(text: str) -> dict[str, Any]:
    detail, line, column = located(text)
    return {"status": "syntax", "detail": detail, "line": line, "column": column}


if __name__ == "__main__":
    serve(sys.argv[1], os.fdopen(0, "rb", buffering=0, closefd=False), sys.stdout.buffer)
