"""An installation before a store that others run: a second Oxigraph server, over HTTP."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.conformance import bombs
from tests.conformance.plain_http import Reply, send
from tests.conformance.web_installation import WebInstallation, installation
from tests.core.oxigraph_server import free_port, oxigraph_server

TIME_LIMIT_S = 2.0
COUNT = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"
FORM = ("Content-Type", "application/x-www-form-urlencoded")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the other server."""
    with oxigraph_server(tmp_path_factory.mktemp("elsewhere")) as url:
        yield url


@pytest.fixture(scope="module")
def installed(
    elsewhere: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebInstallation]:
    """An installation whose inventory is in that server's graph, and nothing in its own."""
    var = tmp_path_factory.mktemp("before-another")
    with installation(var, TINYFLEET_GRAPH_URL=elsewhere) as made:
        made.manage("load_catalogue")
        made.manage("rebuild_graph")
        yield made


@pytest.fixture(scope="module")
def base(installed: WebInstallation) -> Iterator[str]:
    with installed.serve(TINYFLEET_SPARQL_TIMEOUT_S=f"{TIME_LIMIT_S:g}") as address:
        yield address


def ask(installed: WebInstallation, base: str, query: str) -> Reply:
    headers = [FORM, ("Authorization", f"Bearer {installed.token}")]
    return send(base, "POST", "/sparql", headers, httpx.QueryParams(query=query).__str__().encode())


def number(body: bytes) -> int:
    return int(json.loads(body)["results"]["bindings"][0]["n"]["value"])


def server_at(url: str) -> psutil.Process:
    """The process of a server that this one started."""
    port = url.rpartition(":")[2]
    ours = psutil.Process().children()
    return next(each for each in ours if any(f":{port}" in word for word in each.cmdline()))


def test_what_is_written_there_is_what_is_read(
    installed: WebInstallation, elsewhere: str, base: str
) -> None:
    assert installed.manage("check_graph").startswith("0 differences")
    there = httpx.post(f"{elsewhere}/query?union-default-graph", data={"query": COUNT})
    assert number(ask(installed, base, COUNT).body) == number(there.content) > 0
    here = httpx.post(f"{installed.graph_url}/query?union-default-graph", data={"query": COUNT})
    assert number(here.content) == 0


@pytest.mark.parametrize(
    "query", ["DROP ALL", "SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }"]
)
def test_the_guard_is_the_same(
    installed: WebInstallation, elsewhere: str, base: str, query: str
) -> None:
    assert ask(installed, base, query).status == 400
    update = send(
        base,
        "POST",
        "/sparql",
        [
            ("Content-Type", "application/sparql-update"),
            ("Authorization", f"Bearer {installed.token}"),
        ],
        b"CLEAR ALL",
    )
    assert update.status == 400
    assert number(ask(installed, base, COUNT).body) > 0


def test_a_document_is_not_fetched_from_there_either(installed: WebInstallation, base: str) -> None:
    answer = ask(installed, base, f"SELECT * FROM <http://127.0.0.1:{free_port()}/> {{ ?s ?p ?o }}")
    assert answer.status == 400
    assert "none is fetched" in json.loads(answer.body)["detail"]


def test_more_rows_than_allowed_are_no_answer(installed: WebInstallation) -> None:
    with installed.serve(TINYFLEET_SPARQL_MAX_ROWS="5") as base:
        for query in ("SELECT * { ?s ?p ?o }", "CONSTRUCT WHERE { ?s ?p ?o }"):
            answer = ask(installed, base, f"{query} LIMIT 6")
            assert (answer.status, "limit of 5" in answer.body.decode()) == (413, True)
            assert ask(installed, base, f"{query} LIMIT 5").status == 200


def test_a_query_without_end_is_given_up(
    installed: WebInstallation, elsewhere: str, base: str
) -> None:
    answer = ask(installed, base, bombs.LONG["a Cartesian three-way COUNT"])
    assert answer.status == 503
    assert f"{TIME_LIMIT_S:g} s" in json.loads(answer.body)["detail"]
    assert number(ask(installed, base, COUNT).body) > 0


def test_a_store_that_does_not_answer_is_given_up(
    installed: WebInstallation, elsewhere: str, base: str
) -> None:
    server = server_at(elsewhere)
    server.send_signal(signal.SIGSTOP)
    try:
        answer = ask(installed, base, COUNT)
    finally:
        server.send_signal(signal.SIGCONT)
    assert (answer.status, json.loads(answer.body)["title"]) == (503, "The query took too long")
    assert number(ask(installed, base, COUNT).body) > 0


def test_a_store_that_is_down_is_named(installed: WebInstallation, tmp_path: Path) -> None:
    with installed.serve(TINYFLEET_GRAPH_URL=f"http://127.0.0.1:{free_port()}") as base:
        answer = ask(installed, base, COUNT)
    assert answer.status == 502
    assert json.loads(answer.body)["detail"] == "the store cannot be reached"
