"""A store that others run and that does not do as it should: nothing half reaches a client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ontology.query_dataset import BASE_IRI
from ontology.readers import QueryFailed
from ontology.remote_queries import RemoteStore

CSV = "text/csv"
ANSWER = b"a\r\n1\r\n"
LIMIT_S = 0.5


class Unruly(BaseHTTPRequestHandler):
    """Answers as the test has set; what it says on standard error is nobody's business."""

    behave: Callable[[Unruly], None]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).behave(self)

    def log_message(self, *said: object) -> None:
        """Silence."""

    def begin(self, status: int = 200, media_type: str = CSV, length: int = len(ANSWER)) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{media_type}; charset=utf-8")
        self.send_header("Content-Length", str(length))
        self.end_headers()


@pytest.fixture
def store() -> Iterator[RemoteStore]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Unruly)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield RemoteStore(f"http://127.0.0.1:{server.server_port}/", LIMIT_S)
    server.shutdown()
    server.server_close()


def fails(store: RemoteStore, behave: Callable[[Unruly], None]) -> QueryFailed:
    Unruly.behave = behave
    with pytest.raises(QueryFailed) as failure:
        store.run("ASK {}", CSV)
    return failure.value


def test_a_whole_answer_comes_as_it_is(store: RemoteStore) -> None:
    def behave(unruly: Unruly) -> None:
        unruly.begin()
        unruly.wfile.write(ANSWER)

    Unruly.behave = behave
    assert store.run("ASK {}", CSV) == ANSWER


def test_an_answer_that_breaks_off_is_none(store: RemoteStore) -> None:
    def behave(unruly: Unruly) -> None:
        unruly.begin(length=100)
        unruly.wfile.write(ANSWER)

    assert fails(store, behave).kind == "failed"


def test_an_answer_that_trickles_ends_at_the_limit(store: RemoteStore) -> None:
    over = threading.Event()

    def behave(unruly: Unruly) -> None:
        unruly.begin(length=1_000_000)
        while not over.wait(0.05):
            try:
                unruly.wfile.write(b"1")
            except ConnectionError:
                return

    began = time.monotonic()
    assert fails(store, behave).kind == "time"
    assert time.monotonic() - began < LIMIT_S + 1.0
    over.set()


def test_another_media_type_than_asked_for_is_none(store: RemoteStore) -> None:
    def behave(unruly: Unruly) -> None:
        unruly.begin(media_type="text/html")
        unruly.wfile.write(ANSWER)

    assert fails(store, behave).kind == "format"


@pytest.mark.parametrize(
    "status, kind", [(400, "syntax"), (406, "format"), (500, "failed"), (401, "failed")]
)
def test_a_refusal_says_whose_fault_it_is(store: RemoteStore, status: int, kind: str) -> None:
    def behave(unruly: Unruly) -> None:
        column = len(f"BASE <{BASE_IRI}> ") + 4
        text = f"error at 1:{column}: expected a pattern".encode()
        unruly.begin(status, "text/plain", len(text))
        unruly.wfile.write(text)

    failure = fails(store, behave)
    assert failure.kind == kind
    if kind == "syntax":  # where it stands in the query that was asked, without what was added
        assert (failure.detail, failure.line, failure.column) == ("expected a pattern", 1, 4)


def test_a_store_that_is_not_there_is_said_to_be_out_of_reach() -> None:
    with pytest.raises(QueryFailed, match="cannot be reached"):
        RemoteStore("http://127.0.0.1:9", LIMIT_S).run("ASK {}", CSV)
