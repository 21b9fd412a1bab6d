"""A technique applies where every precondition holds; what nobody says stays unknown."""

from __future__ import annotations

import pytest
import rdflib
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rdflib.namespace import RDF, SKOS

from ontology.facts import Answer, Capacity, Figure, Metric, Need, Status
from ontology.matching import assess_technique, is_small_for
from ontology.matching.techniques import TESTS, Clue, Precondition, told_by_clues
from ontology.namespaces import expand
from ontology.preconditions import PRECONDITIONS_FILE, known_preconditions, precondition_iri
from ontology.vocabulary import ONTOLOGY_FILE

KEYS = ["a", "b", "c"]
PLAIN = [Precondition(key, key) for key in KEYS]
stated = st.dictionaries(st.sampled_from(KEYS), st.booleans())


@given(stated, stated, stated)
def test_one_denial_decides_and_silence_is_no_consent(network, device, asker) -> None:
    verdict = assess_technique(PLAIN, network, [device, asker], {})
    outcomes = {each.precondition.key: each.holds for each in verdict.outcomes}
    for key in KEYS:
        said = {saying[key] for saying in (network, device, asker) if key in saying}
        assert outcomes[key] is (None if not said else said == {True})
    expected = Answer.FITS
    if None in outcomes.values():
        expected = Answer.UNKNOWN
    if False in outcomes.values():
        expected = Answer.DOES_NOT_FIT
    assert verdict.answer is expected


CONVOLVES = Precondition(
    "a",
    "convolves",
    (
        Clue("operators", "any_of", frozenset({"CONV_2D"}), True),
        Clue("operators", "none_of", frozenset({"CONV_2D"}), False),
    ),
)


def test_clues_tell_where_nobody_states_it() -> None:
    network = {"operators": frozenset({"CONV_2D", "SOFTMAX"})}
    dense = {"operators": frozenset({"SOFTMAX"})}
    assert told_by_clues(CONVOLVES, network) is True
    assert told_by_clues(CONVOLVES, dense) is False
    assert told_by_clues(CONVOLVES, {"operators": None}) is None
    assert told_by_clues(CONVOLVES, {}) is None
    assert assess_technique([CONVOLVES], {"a": False}, [], network).answer is Answer.DOES_NOT_FIT


@pytest.mark.parametrize(
    ("test", "value", "passes", "fails"),
    [
        ("any_of", frozenset("ab"), frozenset("bc"), frozenset("c")),
        ("none_of", frozenset("ab"), frozenset("c"), frozenset("ac")),
        ("only", frozenset("ab"), frozenset("a"), frozenset("ac")),
        ("only", frozenset("ab"), frozenset("ab"), frozenset()),
        ("at_least", 2, 2, 1),
        ("at_most", 2, 2, 3),
        ("is", True, True, False),
        ("is", False, False, True),
        ("at_least", 1, 1, True),  # yes is no number
        ("any_of", frozenset("a"), frozenset("a"), "a"),
    ],
)
def test_each_kind_of_clue(test: str, value, passes, fails) -> None:
    precondition = Precondition("a", "a", (Clue("fact", test, value, True),))
    assert told_by_clues(precondition, {"fact": passes}) is True
    assert told_by_clues(precondition, {"fact": fails}) is None
    assert test in TESTS


def test_clues_that_disagree_tell_nothing() -> None:
    clues = tuple(Clue("n", "at_least", 1, holds) for holds in (True, False))
    assert told_by_clues(Precondition("a", "a", clues), {"n": 2}) is None


def test_every_precondition_is_explained_and_every_clue_is_about_one() -> None:
    graph = rdflib.Graph().parse(ONTOLOGY_FILE)
    named = set(map(str, graph.subjects(RDF.type, rdflib.URIRef(expand("tf:Precondition")))))
    assert {precondition_iri(key) for key in known_preconditions()} == named
    assert yaml.safe_load(PRECONDITIONS_FILE.read_text()).keys() == known_preconditions().keys()
    for iri in named:
        assert graph.value(rdflib.URIRef(iri), SKOS.definition)


def of_memory(need: float | None, have: int | None) -> tuple[Need, Capacity]:
    figures = () if need is None else (Figure(Metric.ARENA_BYTES, need, Status.PUBLISHED),)
    return Need("v", figures=figures), Capacity("p", arena_budget_bytes=have)


@pytest.mark.parametrize(
    ("language_model", "need", "have", "small"),
    [
        (True, 4.31e9, 8 * 10**9, True),
        (True, 4.31e9, 262_144, False),
        (True, None, 8 * 10**9, None),
        (True, 4.31e9, None, None),
        (None, 4.31e9, 8 * 10**9, None),
        (False, 4.31e9, 8 * 10**9, False),
        (False, None, None, False),
    ],
)
def test_small_is_relative_to_a_device(language_model, need, have, small) -> None:
    assert is_small_for(language_model, *of_memory(need, have)) is small
