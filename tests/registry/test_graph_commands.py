"""rebuild_graph and check_graph against a real Oxigraph server."""

from contextlib import closing
from io import StringIO

import pyoxigraph as ox
import pytest
import rdflib
from django.core.management import CommandError, call_command

from ontology.namespaces import subject_iri
from ontology.questions import questions
from ontology.store import MemoryStore
from registry.models import GraphChange
from registry.services.graph_sync import drain, graph_store, rebuild
from tests.core.oxigraph_server import free_port, oxigraph_server
from tests.registry.graph_world import make_world

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with oxigraph_server(tmp_path_factory.mktemp("graph")) as url:
        yield url


@pytest.fixture
def world(address, settings):
    settings.GRAPH_URL = address
    return make_world()


def run(command, *options):
    out = StringIO()
    call_command(command, *options, stdout=out)
    return out.getvalue()


def test_rebuilding_says_what_it_made_and_checking_agrees(world):
    said = run("rebuild_graph")
    counts = dict(line.split() for line in said.splitlines())
    assert counts["device"] == "3"
    assert counts["verdicts"] == "2"
    assert counts["graphs"] == "16"
    assert GraphChange.objects.count() == 0
    assert run("check_graph").startswith("0 differences; 0 changes wait")


def test_checking_prints_each_difference_and_fails(world):
    run("rebuild_graph")
    with closing(graph_store()) as store:
        store.drop_graph(subject_iri("fleet", "house"))
    out = StringIO()
    with pytest.raises(SystemExit) as exit_status:
        call_command("check_graph", stdout=out)
    assert exit_status.value.code == 1
    lines = out.getvalue().splitlines()
    assert lines[-1].startswith("2 differences")
    assert all(line.startswith(f"<{subject_iri('fleet', 'house')}> lacks: ") for line in lines[:-1])


def test_what_descriptions_leave_out_is_said_on_request(world):
    world.shed.profile = None
    world.shed.save()
    run("rebuild_graph")
    assert run("check_graph", "--complete").splitlines() == [
        "incomplete: device/shed (tf:profile) must have one capability profile",
        "0 differences; 0 changes wait to be projected",
    ]


def as_values(rows):
    """Solutions in one order and numbers as numbers, however an engine writes them."""
    plain = ({name: rdflib_term(term).toPython() for name, term in row.items()} for row in rows)
    return sorted(
        sorted((name, type(value).__name__, str(value)) for name, value in row.items())
        for row in plain
    )


def rdflib_term(term):
    if isinstance(term, rdflib.term.Identifier):
        return term
    return rdflib.util.from_n3(str(term))


def test_the_server_memory_and_rdflib_answer_every_question_alike(world):
    memory = MemoryStore()
    rebuild(memory)
    everything = memory.construct("CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }")
    graph = rdflib.Graph()
    graph.parse(data=ox.serialize(everything, format=ox.RdfFormat.N_TRIPLES), format="nt")
    with closing(graph_store()) as served:
        rebuild(served)
        for each in questions():
            answers = as_values(memory.select(each.query))
            assert as_values(served.select(each.query)) == answers, each.name
            found = (row.asdict() for row in graph.query(each.query))
            assert as_values(found) == answers, each.name


@pytest.mark.parametrize("command", ["rebuild_graph", "check_graph"])
def test_a_server_that_is_away_is_named(db, settings, command):
    settings.GRAPH_URL = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CommandError, match=settings.GRAPH_URL):
        run(command)


def test_a_server_that_is_away_leaves_what_is_marked(db, settings):
    settings.GRAPH_URL = f"http://127.0.0.1:{free_port()}"
    make_world()
    waiting = GraphChange.objects.count()
    with closing(graph_store()) as store:
        assert drain(store) == 0
    assert GraphChange.objects.count() == waiting
