"""A store that others run and that does not do as it should: nothing half reaches a client."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

from ontology.query_dataset import BASE_IRI
from ontology.readers import Asker, QueryFailed, QueryLimits, ReaderPool
from ontology.results import GraphFormat, TableFormat

CSV = TableFormat.CSV.value
ROW = b'{"a": {"type": "literal", "value": "1"}}'
SAID = b'{"head": {"vars": ["a"]}, "results": {"bindings": [%s]}}' % ROW
TRIPLE = b"<urn:a> <urn:b> <urn:c> .\n"
LIMITS = QueryLimits(time_s=10.0, memory_bytes=256 << 20, rows=100)
IN_VAIN = replace(LIMITS, time_s=2.0)


class Unruly(BaseHTTPRequestHandler):
    """Answers as the test has set; what it says on standard error is nobody's business."""

    protocol_version = "HTTP/1.1"
    behave: Callable[[Unruly], None]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.close_connection = True
        type(self).behave(self)

    def log_message(self, *said: object) -> None:
        """Silence."""

    def begin(
        self, status: int = 200, media_type: str = TableFormat.JSON, length: int | None = len(SAID)
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{media_type}; charset=utf-8")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()


@contextmanager
def unruly_server() -> Iterator[str]:
    """Its host and port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Unruly)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def pool() -> Iterator[ReaderPool]:
    with unruly_server() as host:
        readers = ReaderPool(f"http://{host}/", 1)
        yield readers
        readers.close()


def fails(
    pool: ReaderPool,
    behave: Callable[[Unruly], None],
    limits: QueryLimits = LIMITS,
    media_type: str = CSV,
) -> QueryFailed:
    Unruly.behave = behave
    with pytest.raises(QueryFailed) as failure:
        pool.run("SELECT * {}", media_type, Asker("ada", limits))
    return failure.value


def test_an_answer_comes_in_the_format_that_was_asked_for(pool: ReaderPool) -> None:
    def behave(unruly: Unruly) -> None:
        unruly.begin()
        unruly.wfile.write(SAID)

    Unruly.behave = behave
    assert pool.run("SELECT * {}", CSV, Asker("ada", LIMITS)) == b"a\r\n1\r\n"


def test_name_and_password_go_along_and_into_no_list_of_processes() -> None:
    def behave(unruly: Unruly) -> None:
        told.append(unruly.headers["Authorization"])
        commands.extend(word for each in psutil.Process().children() for word in each.cmdline())
        unruly.begin()
        unruly.wfile.write(SAID)

    told: list[str] = []
    commands: list[str] = []
    Unruly.behave = behave
    with unruly_server() as host:
        pool = ReaderPool(f"http://ada:pass%40word@{host}", 1)
        pool.run("SELECT * {}", CSV, Asker("ada", LIMITS))
        pool.close()
    assert told == ["Basic " + base64.b64encode(b"ada:pass@word").decode()]
    assert "ontology.reader" in commands
    assert not any("pass" in word for word in commands)


@pytest.mark.parametrize("sent", [0, 1, len(SAID) // 2, len(SAID) - 1])
def test_an_answer_that_breaks_off_is_none(pool: ReaderPool, sent: int) -> None:
    def behave(unruly: Unruly) -> None:
        unruly.begin()
        unruly.wfile.write(SAID[:sent])

    failure = fails(pool, behave)
    assert (failure.kind, failure.detail) == ("store", "the store broke off its answer")


def test_an_answer_that_breaks_off_where_its_length_says_so_is_none(pool: ReaderPool) -> None:
    def behave(unruly: Unruly) -> None:
        unruly.begin(length=len(SAID) - 10)
        unruly.wfile.write(SAID[:-10])

    assert "cannot be read" in fails(pool, behave).detail


def test_an_answer_of_no_known_length_is_none(pool: ReaderPool) -> None:
    """A graph in lines is well-formed wherever a line ends: nothing else would show a break."""

    def behave(unruly: Unruly) -> None:
        unruly.begin(media_type=GraphFormat.N_TRIPLES, length=None)
        unruly.wfile.write(TRIPLE)

    failure = fails(pool, behave, media_type=GraphFormat.TURTLE)
    assert failure.detail == "the store does not say where its answer ends"


def test_an_answer_that_trickles_ends_at_the_limit(pool: ReaderPool) -> None:
    over = threading.Event()

    def behave(unruly: Unruly) -> None:
        unruly.begin(length=1_000_000)
        while not over.wait(0.05):
            try:
                unruly.wfile.write(b" ")
            except ConnectionError:
                return

    began = time.monotonic()
    failure = fails(pool, behave, IN_VAIN)
    taken_s = time.monotonic() - began
    over.set()
    assert failure.kind == "time"
    assert taken_s < IN_VAIN.time_s + 1.0


def test_an_endless_answer_ends_at_the_memory_limit(pool: ReaderPool) -> None:
    def behave(unruly: Unruly) -> None:
        unruly.begin(length=1 << 40)
        piece = b" " * (1 << 20)
        while True:
            try:
                unruly.wfile.write(piece)
            except ConnectionError:
                return

    assert fails(pool, behave, replace(LIMITS, memory_bytes=64 << 20)).kind == "memory"


def test_more_rows_than_allowed_are_no_answer(pool: ReaderPool) -> None:
    triples = b"".join(b"<urn:%d> <urn:b> <urn:c> .\n" % number for number in range(4))

    def behave(unruly: Unruly) -> None:
        unruly.begin(media_type=GraphFormat.N_TRIPLES, length=len(triples))
        unruly.wfile.write(triples)

    limits = replace(LIMITS, rows=3)
    assert fails(pool, behave, limits, GraphFormat.TURTLE).kind == "rows"


def test_another_media_type_than_asked_for_is_none(pool: ReaderPool) -> None:
    def behave(unruly: Unruly) -> None:
        unruly.begin(media_type="text/html")
        unruly.wfile.write(SAID)

    assert fails(pool, behave).kind == "store"


@pytest.mark.parametrize(
    "status, kind",
    [(400, "syntax"), (302, "store"), (406, "store"), (500, "store"), (401, "store")],
)
def test_a_refusal_says_whose_fault_it_is(pool: ReaderPool, status: int, kind: str) -> None:
    def behave(unruly: Unruly) -> None:
        column = len(f"BASE <{BASE_IRI}> ") + 4
        text = f"error at 1:{column}: expected a pattern".encode()
        unruly.begin(status, "text/plain", len(text))
        unruly.wfile.write(text)

    failure = fails(pool, behave)
    assert failure.kind == kind
    if kind == "syntax":  # where it stands in the query that was asked, without what was added
        assert (failure.detail, failure.line, failure.column) == ("expected a pattern", 1, 4)


def test_a_store_that_is_not_there_is_said_to_be_out_of_reach() -> None:
    pool = ReaderPool("http://127.0.0.1:9", 1)
    with pytest.raises(QueryFailed, match="cannot be reached"):
        pool.run("ASK {}", CSV, Asker("ada", LIMITS))
    pool.close()
