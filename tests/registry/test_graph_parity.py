"""SPARQL over the facts, the edges in the graph and `assess` say the same, in three engines."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing

import pyoxigraph as ox
import pytest
import rdflib
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from rdflib.plugins.sparql import prepareQuery

from ontology.questions import question
from ontology.store import MemoryStore, OxigraphServer
from registry.models import Device, SubjectKind, Variant
from registry.projection.facts import BareBoard
from registry.projection.keys import iri_of
from registry.projection.subjects import all_keys, graph_iri, project
from registry.services.matching import assess_all
from tests.core.catalogues import edges_for
from tests.core.oxigraph_server import oxigraph_server
from tests.registry.inventories import inventories, write_inventory

pytestmark = pytest.mark.django_db

OUTCOME = {True: "holds", False: "fails", None: "unknown"}
JUDGE = question("judge").query
EDGES = """
PREFIX tf: <https://w3id.org/tinyfleet/ontology#>
SELECT ?variant ?device ?edge WHERE {
  ?device tf:profile ?profile . ?variant a tf:Variant ; ?edge ?profile .
}
"""
PREPARED = prepareQuery(JUDGE)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server process that is started once; each example replaces what it holds."""
    directory = tmp_path_factory.mktemp("graph")
    with oxigraph_server(directory) as url, closing(OxigraphServer(url, 10.0)) as store:
        yield store


def graphs():
    """Every graph of the inventory as it is now."""
    bare = BareBoard.from_settings()
    return {
        graph_iri(kind, key): triples
        for kind in SubjectKind
        for key, triples in project(kind, all_keys(kind), bare).items()
    }


def verdicts_of_assess():
    """(variant, device) -> verdict, by the rules in Python, devices without a profile too."""
    return {
        (iri_of(pair.variant), iri_of(pair.device)): pair.verdict
        for pair in assess_all(Device.objects.all(), Variant.objects.all())
    }


def judged_by_assess(verdicts):
    """(variant, device, constraint) -> outcome."""
    return {
        (variant, device, reason.constraint.value): OUTCOME[reason.holds]
        for (variant, device), verdict in verdicts.items()
        for reason in verdict.reasons
    }


def edges_of(store):
    """(variant, device) -> the edges that lead from one to the profile of the other."""
    found = defaultdict(set)
    for row in store.select(EDGES):
        pair = row["variant"].value, row["device"].value
        found[pair].add(row["edge"].value.partition("#")[2])
    return found


def edges_by_assess(verdicts):
    """(variant, device) -> the edges that the graph should have, where it should have any."""
    return {pair: edges for pair, verdict in verdicts.items() if (edges := edges_for(verdict))}


def judged(rows):
    return {
        (row["judged"].value, row["on"].value, row["constraint"].value): row["outcome"].value
        for row in rows
    }


def judged_by_rdflib(held):
    graph = rdflib.Graph()
    for triples in held.values():
        graph.parse(data=ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES), format="nt")
    return {
        (str(row["judged"]), str(row["on"]), str(row["constraint"])): str(row["outcome"])
        for row in graph.query(PREPARED)
    }


def held_by(store, held):
    for iri, triples in held.items():
        store.replace_graph(iri, triples)
    return store


def drawn_and_judged(drawn):
    """The graphs of a drawn inventory, and what the rules in Python say of it."""
    with transaction.atomic():
        write_inventory(drawn)
        held, verdicts = graphs(), verdicts_of_assess()
        transaction.set_rollback(True)
    return held, verdicts


@given(inventories)
@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_facts_alone_lead_sparql_to_the_verdict_of_assess(drawn):
    held, verdicts = drawn_and_judged(drawn)
    store = held_by(MemoryStore(), held)
    assert judged(store.select(JUDGE)) == judged_by_assess(verdicts)
    assert edges_of(store) == edges_by_assess(verdicts)


# Not shrunk: three engines at each step would take minutes to tell what the test above tells too.
@given(inventories)
@settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_rdflib_pyoxigraph_and_the_server_come_to_the_same(server, drawn):
    held, verdicts = drawn_and_judged(drawn)
    expected = judged_by_assess(verdicts)
    assert judged_by_rdflib(held) == expected
    assert judged(held_by(MemoryStore(), held).select(JUDGE)) == expected
    try:
        assert judged(held_by(server, held).select(JUDGE)) == expected
    finally:
        for iri in held:
            server.drop_graph(iri)
