"""Both stores keep the same promises: the one in memory and the Oxigraph server."""

import threading
import time
from contextlib import closing
from pathlib import Path

import pyoxigraph as ox
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ontology.local_store import LocalStore
from ontology.store import (
    LocalOxigraph,
    MemoryStore,
    OxigraphServer,
    StoreRefused,
    StoreUnreachable,
)
from ontology.updates import written
from tests.core.oxigraph_server import free_port, oxigraph_server

GRAPH = "https://example.org/graph"
OTHER = "https://example.org/other"
S, P, Q = (ox.NamedNode(f"https://example.org/{name}") for name in "spq")


def number(value):
    return ox.Triple(S, P, ox.Literal(value))


def contents(store, graph=GRAPH):
    return set(store.construct(f"CONSTRUCT {{ ?s ?p ?o }} {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("graph")
    with oxigraph_server(directory) as url, closing(OxigraphServer(url, 10.0)) as store:
        yield store


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    directory = tmp_path_factory.mktemp("graph")
    with oxigraph_server(directory) as url, closing(LocalOxigraph(url, 10.0)) as store:
        store.directory = directory
        yield store


@pytest.fixture(params=["memory", "server", "ours"])
def store(request):
    if request.param == "memory":
        return MemoryStore()
    served = request.getfixturevalue(request.param)
    served.drop_graph(GRAPH)
    served.drop_graph(OTHER)
    return served


def test_a_graph_holds_exactly_what_replaced_it(store):
    store.replace_graph(GRAPH, [number(1), number(2)])
    store.replace_graph(GRAPH, [number(2), number(3)])
    assert contents(store) == {number(2), number(3)}


def test_a_graph_can_be_emptied(store):
    store.replace_graph(GRAPH, [number(1)])
    store.replace_graph(GRAPH, [])
    assert contents(store) == set()


def test_several_graphs_are_replaced_at_once(store):
    store.replace_graph(GRAPH, [number(1)])
    store.replace_graphs({GRAPH: [number(2)], OTHER: [number(3)]})
    assert (contents(store), contents(store, OTHER)) == ({number(2)}, {number(3)})
    store.replace_graphs({GRAPH: [], OTHER: [number(4)]})
    assert (contents(store), contents(store, OTHER)) == (set(), {number(4)})


def test_graphs_that_hold_nothing_are_filled(store):
    store.add_graphs([written(GRAPH, [number(1)]), written(OTHER, [number(2), number(3)])])
    store.flush()
    assert (contents(store), contents(store, OTHER)) == ({number(1)}, {number(2), number(3)})


def test_links_to_a_node_are_replaced_in_every_graph(store):
    node, edge = ox.NamedNode("https://example.org/node"), ox.Triple
    stays, goes = edge(S, Q, node), edge(S, P, node)
    store.replace_graphs({GRAPH: [goes, stays], OTHER: [number(1)]})
    come = edge(Q, P, node)
    store.replace_links([node.value], [P.value], {OTHER: [come]})
    assert (contents(store), contents(store, OTHER)) == ({stays}, {number(1), come})
    store.replace_links([node.value], [P.value], {})
    assert (contents(store), contents(store, OTHER)) == ({stays}, {number(1)})


def test_other_graphs_are_left_alone(store):
    store.replace_graph(OTHER, [number(1)])
    store.replace_graph(GRAPH, [number(2)])
    store.drop_graph(GRAPH)
    assert contents(store, OTHER) == {number(1)}
    assert contents(store) == set()


def test_dropping_what_is_not_there_is_no_error(store):
    store.drop_graph("https://example.org/nowhere")


def test_queries_read_all_graphs_together(store):
    store.replace_graph(GRAPH, [number(1)])
    store.replace_graph(OTHER, [ox.Triple(S, Q, ox.Literal("x"))])
    rows = store.select(f"SELECT ?a ?b ?c {{ ?s {P} ?a ; {Q} ?b . OPTIONAL {{ ?s <urn:z> ?c }} }}")
    assert rows == [{"a": ox.Literal(1), "b": ox.Literal("x")}]


def test_ask_says_yes_and_no(store):
    store.replace_graph(GRAPH, [number(1)])
    assert store.ask(f"ASK {{ {S} {P} 1 }}") is True
    assert store.ask(f"ASK {{ {S} {P} 2 }}") is False


@pytest.mark.parametrize(
    "question",
    [
        lambda store: store.select("SELECT WHERE"),
        lambda store: store.select("ASK {}"),
        lambda store: store.ask("SELECT * {}"),
        lambda store: store.construct("SELECT * {}"),
        lambda store: store.construct("CONSTRUCT {"),
    ],
)
def test_a_wrong_question_is_refused(store, question):
    with pytest.raises(StoreRefused):
        question(store)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
literals = st.builds(
    ox.Literal, texts | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.booleans()
)


@given(values=st.lists(literals, max_size=5))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_give_back_what_was_written(server, values):
    memory = MemoryStore()
    triples = [ox.Triple(S, P, value) for value in values]
    memory.replace_graph(GRAPH, triples)
    server.replace_graph(GRAPH, triples)
    assert contents(server) == contents(memory)
    assert {
        t.object.value for t in contents(memory) if t.object.datatype.value.endswith("#string")
    } == {value.value for value in values if value.datatype.value.endswith("#string")}


def test_a_reader_never_sees_half_a_graph(server):
    def generation(value):
        return [ox.Triple(ox.NamedNode(f"urn:n{n}"), P, ox.Literal(value)) for n in range(200)]

    server.replace_graph(GRAPH, generation(0))
    seen = set()
    stop = threading.Event()
    query = f"SELECT (COUNT(*) AS ?all) (COUNT(DISTINCT ?o) AS ?kinds) {{ ?s {P} ?o }}"

    def read():
        while not stop.is_set():
            row = server.select(query)[0]
            seen.add((row["all"].value, row["kinds"].value))

    server.drop_graph(OTHER)
    reader = threading.Thread(target=read)
    reader.start()
    for value in range(1, 20):
        server.replace_graph(GRAPH, generation(value))
    stop.set()
    reader.join()
    assert seen == {("200", "1")}


def test_a_server_that_is_not_there_is_unreachable():
    with (
        closing(OxigraphServer(f"http://127.0.0.1:{free_port()}", 1.0)) as store,
        pytest.raises(StoreUnreachable, match="127.0.0.1"),
    ):
        store.ask("ASK {}")


def newest_log_bytes(directory: Path) -> int:
    """The engine removes older logs behind our back; the newest one stays."""
    while True:
        try:
            return max(directory.glob("*.log")).stat().st_size
        except FileNotFoundError:
            continue


def test_what_was_flushed_is_in_the_tables_not_in_the_log(ours):
    """A reader works the log off when it opens the store; the newest log is what is left of it."""
    ours.replace_graph(GRAPH, [number(value) for value in range(5_000)])
    ours.flush()
    assert newest_log_bytes(ours.directory) < 1_000
    seen = settled(LocalStore(str(ours.directory)))
    assert len(list(seen.quads_for_pattern(None, None, None, ox.NamedNode(GRAPH)))) == 5_000


def settled(opened: LocalStore) -> ox.Store:
    """The store once it is kept from one look to the next: the engine tidies its folder a while."""
    until = time.monotonic() + 10.0
    while (store := opened.current()) is not opened.current():
        assert time.monotonic() < until, "opened anew at every look"
    return store


def test_an_open_store_is_kept_until_something_is_committed(ours):
    opened = LocalStore(str(ours.directory))
    ours.replace_graph(GRAPH, [number(1)])
    first = settled(opened)
    ours.replace_graph(GRAPH, [number(1), number(2)])
    assert opened.current() is not first
    found = opened.current().quads_for_pattern(None, None, None, ox.NamedNode(GRAPH))
    assert {quad.triple for quad in found} == {number(1), number(2)}


def test_a_folder_that_is_no_store_is_an_error(tmp_path):
    with pytest.raises((OSError, RuntimeError)):
        LocalStore(str(tmp_path)).current()


def test_a_password_in_the_address_is_in_no_error() -> None:
    store = OxigraphServer(f"http://ada:secret@127.0.0.1:{free_port()}", 1.0)
    with pytest.raises(StoreUnreachable) as failure:
        store.ask("ASK {}")
    store.close()
    assert "secret" not in str(failure.value)
