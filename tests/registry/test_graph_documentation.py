"""docs/ontology.md: its Turtle is true of the worked example, its queries give its tables."""

import re
from pathlib import Path

import pyoxigraph as ox
import pytest

from ontology.namespaces import expand
from ontology.questions import question
from ontology.store import MemoryStore
from ontology.vocabulary import superclasses
from registry.services.graph_sync import drain
from tests.registry.graph_world import make_world

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).resolve().parents[2] / "docs/ontology.md").read_text()
TURTLE = re.findall(r"```turtle\n(.*?)```", PAGE, re.DOTALL)
ASKED = re.findall(r"queries/([\w-]+)\.rq\)\nwith (.*?):\n\n(\|.*?)\n\n", PAGE, re.DOTALL)
PARAMETER = re.compile(r"`\$(\w+)` = `<([^>]+)>`")
ALIGNED = re.findall(r"^\| (`tf:.*?) \| (`.*?) \| ", PAGE, re.MULTILINE)
SPARQL = re.findall(r"```sparql\n(.*?)```\n\n(\|.*?)\n\n", PAGE, re.DOTALL)


@pytest.fixture
def world():
    return make_world()


@pytest.fixture
def store(world):
    store = MemoryStore()
    drain(store)
    return store


@pytest.mark.parametrize("number", range(3))
def test_every_triple_on_the_page_is_in_the_graph(store, world, number):
    text = TURTLE[number].replace("/variant/1", f"/variant/{world.large.pk}")
    triples = [str(quad.triple) for quad in ox.parse(text, format=ox.RdfFormat.TURTLE)]
    assert triples
    assert [triple for triple in triples if not store.ask(f"ASK {{ {triple} }}")] == []


def table_of(text):
    """The names of a table's columns, and its rows."""
    header, _, *rows = ([c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines())
    return header, rows


@pytest.mark.parametrize("number", range(10))
def test_every_question_on_the_page_gives_its_table(store, world, number):
    name, given, table = ASKED[number]
    keys = {"1": world.large.pk, "2": world.small.pk}
    given = re.sub(r"variant/([12])>", lambda match: f"variant/{keys[match[1]]}>", given)
    terms = {each: ox.NamedNode(iri) for each, iri in PARAMETER.findall(given)}
    header, expected = table_of(table)
    rows = store.select(question(name).bind(**terms))
    assert [[row[key].value if key in row else "" for key in header] for row in rows] == expected


def test_our_terms_stand_under_those_that_the_page_names():
    assert len(ALIGNED) > 10
    for ours, theirs in ALIGNED:
        for term in re.findall(r"`(\S+?)`", ours):
            above = superclasses(expand(term))
            assert {expand(each) for each in re.findall(r"`(\S+?)`", theirs)} <= above, term


@pytest.mark.parametrize("number", range(2))
def test_every_query_on_the_page_gives_its_table(store, number):
    query, table = SPARQL[number]
    header, rows = table_of(table)
    found = [[row[name].value for name in header] for row in store.select(query)]
    assert found == rows


def test_all_examples_are_tested():
    assert (len(TURTLE), len(ASKED), len(SPARQL)) == (3, 10, 2)
    assert PAGE.count("```sparql") == 2
