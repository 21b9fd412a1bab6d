"""Readers as processes: what they can reach, and what becomes of them."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyoxigraph as ox
import pytest

from ontology import reader
from ontology.readers import Asker, QueryFailed, QueryLimits, ReaderPool

JSON = "application/sparql-results+json"
ASKER = Asker("ada", QueryLimits(time_s=20.0, memory_bytes=256 << 20, rows=100))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    writer = ox.Store(str(tmp_path / "graph"))
    writer.add(ox.Quad(ox.NamedNode("urn:a"), ox.NamedNode("urn:b"), ox.Literal("c")))
    writer.flush()
    return tmp_path / "graph"


@pytest.fixture
def pool(store: Path) -> Iterator[ReaderPool]:
    readers = ReaderPool(store, 2)
    yield readers
    readers.close()


def readers() -> list[psutil.Process]:
    ours = psutil.Process().children()
    return [each for each in ours if "ontology.reader" in each.cmdline()]


@pytest.mark.parametrize(("times", "status"), [(0, "ok"), (2, "ok"), (3, "failed")])
def test_a_table_that_was_merged_away_is_looked_for_again(monkeypatch, times, status) -> None:
    """The engine opens tables when it needs them, and its server may have tidied meanwhile."""
    missing = iter([FileNotFoundError("000061.sst")] * times)

    def evaluate(store: object, request: object) -> bytes:
        for error in missing:
            raise error
        return b"answer"

    monkeypatch.setattr(reader, "_evaluate", evaluate)
    head, _ = reader._answer(None, None)
    assert head["status"] == status


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process give up the network")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_reader_opens_no_socket_even_where_the_guard_was_passed_by(
    pool: ReaderPool, host: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.0)
        address = f"http://{host}:{elsewhere.getsockname()[1]}/"
        with pytest.raises(QueryFailed) as failure:
            pool.run(f"SELECT * {{ SERVICE <{address}> {{ ?s ?p ?o }} }}", JSON, ASKER)
        assert failure.value.kind == "failed"
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_a_reader_that_was_quick_serves_again(pool: ReaderPool) -> None:
    for _ in range(3):
        pool.run("ASK {}", JSON, ASKER)
    assert len(readers()) == 1


def test_a_reader_knows_no_setting_of_the_installation(
    pool: ReaderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYFLEET_SECRET_KEY", "known to nobody")
    pool.run("ASK {}", JSON, ASKER)
    [reader] = readers()
    assert [name for name in reader.environ() if "TINYFLEET" in name] == []


def test_readers_are_ready_before_they_are_needed(store: Path) -> None:
    pool = ReaderPool(store, 3, warm=2)
    pool.warm_up()
    until = time.monotonic() + 20.0
    while len(readers()) < 2:
        assert time.monotonic() < until
        time.sleep(0.02)
    before = {each.pid for each in readers()}
    pool.run("ASK {}", JSON, ASKER)
    assert before <= {each.pid for each in readers()}
    pool.close()
    assert readers() == []
