"""What SPARQL reads from the graph is what `assess` says, absent facts included."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ontology.describe import Description
from ontology.facts import Constraint
from ontology.graph import describe_arena, describe_capacity, describe_need, describe_verdicts
from ontology.matching import assess, match_all
from ontology.namespaces import subject_iri
from ontology.store import MemoryStore
from tests.core.catalogues import capacities, edges_for, needs

VERDICTS = """
PREFIX tf: <https://w3id.org/tinyfleet/ontology#>
SELECT ?variant ?profile ?edge WHERE {
  ?profile a tf:CapabilityProfile . ?variant ?edge ?profile .
}
"""
ROOM = """
PREFIX tf: <https://w3id.org/tinyfleet/ontology#>
SELECT ?variant ?profile (?budget - ?bytes AS ?room) WHERE {
  ?profile tf:target ?target ; tf:arenaBudgetBytes ?budget .
  ?variant tf:needsArena ?need . ?need tf:onTarget ?target ; tf:arenaBytes ?bytes .
}
"""


def variant_iri(number):
    return subject_iri("variant", str(number))


def profile_iri(number):
    return subject_iri("profile", str(number))


def stored(many_needs, many_capacities):
    """A store with everything that the projection would say of these facts."""
    store = MemoryStore()
    profiles = [profile_iri(number) for number in range(len(many_capacities))]
    for iri, capacity in zip(profiles, many_capacities, strict=True):
        profile = Description(iri)
        describe_capacity(profile, capacity)
        store.replace_graph(iri, profile.triples)
    for number, need in enumerate(many_needs):
        variant, verdicts = Description(variant_iri(number)), Description(variant_iri(number))
        describe_need(variant, need)
        describe_arena(verdicts, need, many_capacities)
        describe_verdicts(verdicts, match_all([need], many_capacities), profiles)
        store.replace_graph(variant_iri(number), variant.triples)
        store.replace_graph(subject_iri("verdicts", str(number)), verdicts.triples)
    return store


@given(st.lists(needs, max_size=3), st.lists(capacities, max_size=3))
@settings(max_examples=60, deadline=None)
def test_the_edges_are_the_verdicts(many_needs, many_capacities):
    found = {}
    for row in stored(many_needs, many_capacities).select(VERDICTS):
        pair = row["variant"].value, row["profile"].value
        found.setdefault(pair, set()).add(row["edge"].value.partition("#")[2])
    for n, need in enumerate(many_needs):
        for c, capacity in enumerate(many_capacities):
            expected = edges_for(assess(need, capacity))
            assert found.get((variant_iri(n), profile_iri(c)), set()) == expected


@given(st.lists(needs, max_size=3), st.lists(capacities, max_size=3))
@settings(max_examples=60, deadline=None)
def test_sparql_computes_the_headroom_of_ram(many_needs, many_capacities):
    many_capacities = [replace(each, board=each.board or "nano") for each in many_capacities]
    rows = stored(many_needs, many_capacities).select(ROOM)
    found = {(r["variant"].value, r["profile"].value): int(r["room"].value) for r in rows}
    for n, need in enumerate(many_needs):
        for c, capacity in enumerate(many_capacities):
            ram = next(r for r in assess(need, capacity).reasons if r.constraint is Constraint.RAM)
            assert found.get((variant_iri(n), profile_iri(c))) == ram.headroom
