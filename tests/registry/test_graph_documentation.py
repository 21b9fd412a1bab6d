"""docs/ontology.md: its Turtle is true of the worked example, its queries give its tables."""

import re
from pathlib import Path

import pyoxigraph as ox
import pytest

from ontology.store import MemoryStore
from registry.services.graph_sync import drain
from tests.registry.graph_world import make_world

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).resolve().parents[2] / "docs/ontology.md").read_text()
TURTLE = re.findall(r"```turtle\n(.*?)```", PAGE, re.DOTALL)
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


@pytest.mark.parametrize("number", range(2))
def test_every_query_on_the_page_gives_its_table(store, number):
    query, table = SPARQL[number]
    header, _, *rows = ([c.strip() for c in line.split("|")[1:-1]] for line in table.splitlines())
    found = [[row[name].value for name in header] for row in store.select(query)]
    assert found == rows


def test_all_examples_are_tested():
    assert (len(TURTLE), len(SPARQL)) == (3, 2)
    assert PAGE.count("```sparql") == 2
