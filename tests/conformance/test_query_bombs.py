"""Queries that mean harm, over HTTP, against a running installation on either database.

Each ends at its limit with an error that names it; its process is gone; others are served.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import httpx
import psutil
import pytest

from tests.conformance import bombs
from tests.conformance.web_installation import WebInstallation, installation
from tests.postgresql import postgresql

TIME_LIMIT_S = 1.0
GRACE_S = 1.0
OPERATORS_LIMIT_S = 6.0
MAX_ROWS = 1_000
ALL_READERS = 6
NICEST = 19
READY_WITHIN_S = 0.2
SETTINGS = {
    "TINYFLEET_SPARQL_TIMEOUT_S": f"{TIME_LIMIT_S:g}",
    "TINYFLEET_SPARQL_MEMORY_BYTES": "256MiB",
    "TINYFLEET_SPARQL_MAX_ROWS": f"{MAX_ROWS}",
    "TINYFLEET_SPARQL_MAX_ANSWER_BYTES": "4MiB",
    "TINYFLEET_SPARQL_WAIT_S": "0.5",
    "TINYFLEET_SPARQL_READERS": f"{ALL_READERS}",
    "TINYFLEET_SPARQL_OPERATOR": f"time_s={OPERATORS_LIMIT_S:g}, at_once=4",
}
_MAKE_OPERATOR = """
from django.contrib.auth.models import Group, User
from rest_framework.authtoken.models import Token
user = User.objects.create_user("operator")
user.groups.add(Group.objects.create(name="Operator"))
print("token", Token.objects.create(user=user).key)
"""


@dataclass(frozen=True)
class Reply:
    """An answer's status, headers and text, and how long it took."""

    status: int
    headers: Message
    text: str
    taken_s: float

    @property
    def detail(self) -> str:
        """What a problem says."""
        return json.loads(self.text)["detail"]


@dataclass(frozen=True)
class Target:
    """A web process, seen from outside: its address, and the readers that it has."""

    base: str
    viewer: str
    operator: str

    def ask(self, query: str, token: str) -> Reply:
        """Post a query on a connection of its own."""
        connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=60.0)
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        began = time.monotonic()
        connection.request("POST", "/sparql", urlencode({"query": query}), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        taken_s = time.monotonic() - began
        connection.close()
        return Reply(answer.status, answer.headers, text, taken_s)

    @property
    def process(self) -> psutil.Process:
        """The web process, which is a child of this one."""
        port = self.base.rpartition(":")[2]
        ours = psutil.Process().children()
        return next(each for each in ours if "uvicorn" in each.cmdline() and port in each.cmdline())

    def slow_readers(self) -> set[int]:
        """The readers whose query has taken long enough to give way."""
        return {each.pid for each in self.process.children() if nice(each) == NICEST}


def nice(process: psutil.Process) -> int | None:
    """Its priority, or None where it has just ended."""
    try:
        return process.nice()
    except psutil.NoSuchProcess:
        return None


@pytest.fixture(
    scope="module", params=["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.soak)]
)
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    """A running installation on either database, with a graph that bombs go off in."""
    var = tmp_path_factory.mktemp("bombs")
    if request.param == "SQLite":
        with running(var) as found:
            yield found
    else:
        with postgresql() as url, running(var, TINYFLEET_DATABASE=url) as found:
            yield found


@contextmanager
def running(var: Path, **settings: str) -> Iterator[Target]:
    with installation(var, **settings) as web:
        load(web)
        operator = re.search(r"token (\w+)", web.manage("shell", "-v0", "-c", _MAKE_OPERATOR))[1]
        with web.serve(**SETTINGS) as base:
            yield Target(base, web.token, operator)


def load(web: WebInstallation) -> None:
    body = "".join(bombs.n_quads()).encode()
    headers = {"Content-Type": "application/n-quads"}
    httpx.post(f"{web.graph_url}/store", content=body, headers=headers).raise_for_status()


@contextmanager
def watched(target: Target) -> Iterator[set[int]]:
    """The readers that gave way in the meantime."""
    seen: set[int] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            seen.update(target.slow_readers())

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        yield seen
        over.set()
        watching.result()


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("name", bombs.LONG)
def test_a_query_without_end_is_ended(target: Target, name: str) -> None:
    with watched(target) as readers:
        reply = target.ask(bombs.LONG[name], target.viewer)
    assert reply.status == 503, reply.text
    assert re.search(r"limit of (1 s|268 MB)", reply.detail), reply.detail
    assert reply.taken_s < TIME_LIMIT_S + GRACE_S
    assert readers or "MB" in reply.detail  # memory may be used up before it gave way
    assert all(map(gone, readers))


@pytest.mark.parametrize("name", bombs.MANY)
def test_an_answer_too_long_is_none(target: Target, name: str) -> None:
    reply = target.ask(bombs.MANY[name], target.operator)
    assert reply.status == 413, reply.text
    assert re.search(r"limit of (1,000|4,194,304 bytes)", reply.detail), reply.detail
    assert reply.taken_s < OPERATORS_LIMIT_S


@pytest.mark.parametrize("name", bombs.DEEP)
def test_deep_nesting_is_refused_unread(target: Target, name: str) -> None:
    reply = target.ask(bombs.DEEP[name], target.viewer)
    assert (reply.status, "200 levels" in reply.detail) == (400, True), reply.text
    assert reply.taken_s < GRACE_S


@pytest.mark.parametrize("name", bombs.CHAINS)
def test_a_query_that_is_hard_to_read_costs_its_reader_at_most(target: Target, name: str) -> None:
    with watched(target) as readers:
        reply = target.ask(bombs.CHAINS[name], target.viewer)
    assert reply.status in {400, 503}, reply.text
    assert reply.taken_s < TIME_LIMIT_S + GRACE_S
    assert all(map(gone, readers))


def test_a_query_of_a_megabyte_is_refused(target: Target) -> None:
    reply = target.ask("ASK {} #" + "x" * 1_000_000, target.viewer)
    assert reply.status in {400, 413}
    assert "longer than" in reply.detail


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """The address of another server, and who has called there."""
    calls: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def listen() -> None:
            while True:
                try:
                    connection, address = listening.accept()
                except OSError:
                    return
                calls.append(str(address))
                connection.close()

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", calls
        listening.shutdown(socket.SHUT_RDWR)
        listener.join()


REACHING = [
    "SELECT * { SERVICE <URL> { ?s ?p ?o } }",
    "SELECT * { SERVICE SILENT <URL> { ?s ?p ?o } }",
    "SELECT * { BIND(<URL> AS ?there) SERVICE ?there { ?s ?p ?o } }",
    "SELECT * { VALUES ?there { <URL> } SERVICE SILENT ?there { ?s ?p ?o } }",
    "SELECT * { sErViCe<URL>{ ?s ?p ?o } }",
    "SELECT * { SERVICE#\n<URL>#\n{ ?s ?p ?o } }",
    "SELECT * { SERVICESILENT<URL>{ ?s ?p ?o } }",
    "SELECT * { ?s ?p 1SERVICE<URL>{ ?s ?p ?o } }",
    "SELECT * { ?s ?p 1.SERVICE<URL>{ ?s ?p ?o } }",
    "SELECT * { ?s ?p trueSERVICE<URL>{ ?s ?p ?o } }",
    "SELECT * { \\u0053ERVICE <URL> { ?s ?p ?o } }",
    "SELECT * { S\\U00000045RVICE <URL> { ?s ?p ?o } }",
    'SELECT * { ?s ?p "\\u0022 SERVICE <URL> { ?s ?p ?o } #"\n }',
    "PREFIX x: <URL> SELECT * { SERVICE x:a { ?s ?p ?o } }",
    "PREFIX x: <URL> SELECT * { SERVICEx:a { ?s ?p ?o } }",
    "PREFIX : <URL> SELECT * { SERVICE:a { ?s ?p ?o } }",
    "PREFIX x: <URL> SELECT * { SERVICESILENTx:a { ?s ?p ?o } }",
    "PREFIX x: <URL> SELECT * { ?s ?p x:.SERVICE<URL>{ ?s ?p ?o } }",
    "SELECT * { BIND(1 AS ?a) FILTER(?a<'>') SERVICE <URL> { ?s ?p ?o } FILTER(1>'') }",
    "SELECT * { BIND(1 AS ?a) FILTER(?a<'x>#') SERVICE <URL> { ?s ?p ?o } }",
    "PREFIX x: <URL> SELECT * { ?s x:a\\' ?o . SERVICE <URL> { ?s ?p ?o } FILTER(1>'') }",
    "SELECT * { { SELECT * { OPTIONAL { SERVICE <URL> { ?s ?p ?o } } } } }",
    "ASK { FILTER EXISTS { SERVICE <URL> { ?s ?p ?o } } }",
    "CONSTRUCT { ?s ?p ?o } { SERVICE <URL> { ?s ?p ?o } }",
    "SELECT * FROM <URL> { ?s ?p ?o }",
    "SELECT * FROM NAMED <URL> { GRAPH ?g { ?s ?p ?o } }",
    "PREFIX x: <URL> SELECT * FROM x:data { ?s ?p ?o }",
    "DESCRIBE <URL> FROM <URL>",
    "LOAD <URL>",
    "load silent <URL> into graph <URL>",
    "PREFIX x: <URL> LOAD x:data",
    "BASE <URL> LOAD <data>",
    "\\u004COAD <URL>",
    "SELECT * { ?s ?p ?o } ; LOAD <URL>",
]


@pytest.mark.parametrize("query", REACHING)
def test_no_query_reaches_another_server(
    target: Target, elsewhere: tuple[str, list[str]], query: str
) -> None:
    url, calls = elsewhere
    reply = target.ask(query.replace("URL", url), target.viewer)
    assert reply.status == 400, reply.text
    assert calls == []


@pytest.mark.parametrize(
    "update",
    [
        "INSERT DATA { <urn:a> <urn:b> <urn:c> }",
        "prefix x: <urn:> insert { ?s ?p ?o } where { ?s ?p ?o }",
        "BASE <urn:> PREFIX x: <urn:> Delete Where { ?s ?p ?o }",
        "with <urn:g> delete { ?s ?p ?o } where { ?s ?p ?o }",
        "# SELECT\nclear all",
        "DROP SILENT ALL",
        "CREATE GRAPH <urn:g>",
        "copy default to <urn:g>",
        "SELECT * { ?s ?p ?o }; DROP ALL",
        "ASK {} INSERT DATA { <urn:a> <urn:b> <urn:c> }",
        "\\u0044ROP ALL",
    ],
)
def test_no_query_writes(target: Target, update: str) -> None:
    reply = target.ask(update, target.viewer)
    assert reply.status == 400, reply.text


def test_beside_four_bombs_others_are_served_at_once(target: Target) -> None:
    bomb = bombs.LONG["a Cartesian three-way COUNT"]
    target.ask(bombs.ONE_ROW, target.viewer)
    before = target.process.memory_info().rss
    with ThreadPoolExecutor(4) as bombers:
        thrown = [bombers.submit(target.ask, bomb, target.operator) for _ in range(4)]
        wait_for(lambda: len(target.slow_readers()) == 4)
        readers = target.slow_readers()
        taken = [one_row(target) for _ in range(20)]
        one_more = target.ask(bomb, target.operator)
        assert readers <= target.slow_readers()
        replies = [each.result() for each in thrown]
    print(f"one row beside 4 bombs: {statistics.median(taken):.3f} s, at most {max(taken):.3f} s")
    assert statistics.median(taken) < READY_WITHIN_S
    assert [reply.status for reply in replies] == [503] * 4
    assert all(f"{OPERATORS_LIMIT_S:g} s" in reply.detail for reply in replies)
    assert max(reply.taken_s for reply in replies) < OPERATORS_LIMIT_S + GRACE_S
    assert all(map(gone, readers))
    assert (one_more.status, one_more.headers["Retry-After"]) == (503, f"{OPERATORS_LIMIT_S:g}")
    assert "your share of 4 queries" in one_more.detail
    assert target.process.memory_info().rss < before + 50_000_000


def one_row(target: Target) -> float:
    reply = target.ask(bombs.ONE_ROW, target.viewer)
    assert reply.status == 200, reply.text
    assert len(json.loads(reply.text)["results"]["bindings"]) == 1
    return reply.taken_s


def wait_for(holds) -> None:
    until = time.monotonic() + OPERATORS_LIMIT_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_in_the_end_nothing_is_left(target: Target) -> None:
    """Its place in this file is the last: the bombs above have gone off."""
    wait_for(lambda: target.slow_readers() == set())
    wait_for(lambda: cpu_s(target) == cpu_s(target, after_s=0.3))
    readers = target.process.children()
    assert len(readers) <= ALL_READERS
    assert all(each.memory_info().rss < 150_000_000 for each in readers)


def cpu_s(target: Target, after_s: float = 0.0) -> dict[int, float]:
    """What each reader has computed by then; those that have just started still read their code."""
    time.sleep(after_s)
    times = {each.pid: each.cpu_times() for each in target.process.children()}
    return {pid: round(each.user + each.system, 1) for pid, each in times.items()}
