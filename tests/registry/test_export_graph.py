"""The inventory as RDF for others: by command and over REST, of a subject and of everything."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pyoxigraph as ox
import pytest
from django.core.management import CommandError, call_command

from ontology.namespaces import subject_iri
from registry.models import SubjectKind
from registry.projection.facts import BareBoard
from registry.projection.subjects import all_keys, graph_iri, project
from tests.registry.graph_world import make_world

pytestmark = pytest.mark.django_db

FORMS = {
    "turtle": ox.RdfFormat.TURTLE,
    "nquads": ox.RdfFormat.N_QUADS,
    "jsonld": ox.RdfFormat.JSON_LD,
}


@pytest.fixture
def world():
    return make_world()


def export(*arguments: str) -> str:
    out = StringIO()
    call_command("export_graph", *arguments, stdout=out)
    return out.getvalue()


def read(text: str | bytes, form: str) -> set[ox.Quad]:
    return set(ox.parse(text, format=FORMS[form]))


def projected() -> set[ox.Quad]:
    """What the graph store would hold, numbers and times written as parsers write them."""
    quads = {
        ox.Quad(*triple, ox.NamedNode(graph_iri(kind, key)))
        for kind in SubjectKind
        for key, triples in project(kind, all_keys(kind), BareBoard.from_settings()).items()
        for triple in triples or ()
    }
    text = ox.serialize(quads, format=ox.RdfFormat.N_QUADS)
    return set(ox.parse(text, format=ox.RdfFormat.N_QUADS))


def without_graphs(quads: set[ox.Quad]) -> set[ox.Triple]:
    return {quad.triple for quad in quads}


@pytest.mark.parametrize("form", ["nquads", "jsonld"])
def test_everything_is_what_the_graph_holds(world, form):
    assert read(export("--format", form), form) == projected()


def test_turtle_says_the_same_in_one_graph(world):
    text = export()
    assert "@prefix tf: <https://w3id.org/tinyfleet/ontology#>" in text
    assert without_graphs(read(text, "turtle")) == without_graphs(projected())


def test_in_pieces_it_is_one_document(world, monkeypatch):
    monkeypatch.setattr("registry.services.graph_export.AT_ONCE", 1)
    for form in FORMS:
        assert without_graphs(read(export("--format", form), form)) == without_graphs(projected())


def test_an_empty_inventory_is_an_empty_document(db):
    for form in FORMS:
        assert read(export("--format", form), form) == set()


@pytest.mark.parametrize("name", ["device/kitchen", subject_iri("device", "kitchen")])
def test_one_subject(world, name):
    quads = read(export(name, "--format", "nquads"), "nquads")
    assert {quad.graph_name.value for quad in quads} == {subject_iri("device", "kitchen")}
    assert quads == {quad for quad in projected() if "device/kitchen" in quad.graph_name.value}


def test_several_subjects_into_a_file(world, tmp_path: Path):
    file = tmp_path / "two.jsonld"
    file.write_text("old")
    export(f"verdicts/{world.large.pk}", "release/words/1", "--output", str(file))
    names = {quad.graph_name.value for quad in read(file.read_bytes(), "jsonld")}
    assert names == {
        subject_iri("verdicts", str(world.large.pk)), subject_iri("release", "words/1"),
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("device/nobody", "there is no device/nobody"),
        ("thing/1", "is no subject: write KIND/KEY, of the kinds board, runtime"),
        ("device/", "is no subject"),
        ("variant/one", "the key of a variant is its number"),
        ("variant/9999999999999999999", "the key of a variant is its number"),
        ("variant/999", "there is no variant/999"),
    ],
)
def test_what_is_not_there_is_said_and_no_file_is_left(world, tmp_path, name, reason):
    with pytest.raises(CommandError, match=reason):
        export(name, "--output", str(tmp_path / "x.ttl"))
    assert list(tmp_path.iterdir()) == []


def test_a_malformed_row_is_named(world):
    type(world.hearing).objects.filter(pk=world.hearing.pk).update(sensors=[{"sort": "x"}])
    with pytest.raises(CommandError, match=f"profile/{world.hearing.digest} is malformed"):
        export(f"profile/{world.hearing.digest}")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/turtle", "turtle"),
        ("*/*", "turtle"),
        ("application/n-quads", "nquads"),
        ("text/html, application/ld+json;q=0.5", "jsonld"),
    ],
)
def test_over_rest_the_client_chooses_the_form(world, reader, accept, form):
    answer = reader.get("/api/v1/graph/?subject=board/nano", headers={"accept": accept})
    assert answer.headers["Content-Type"].partition(";")[0] == FORMS[form].media_type
    assert without_graphs(read(answer.content, form)) == {
        quad.triple for quad in projected() if quad.graph_name.value.endswith("board/nano")
    }


def test_everything_over_rest(world, reader):
    answer = reader.get("/api/v1/graph/?format=nquads")
    assert read(answer.content, "nquads") == projected()
    two = reader.get("/api/v1/graph/?format=nquads&subject=board/nano&subject=fleet/house")
    names = {quad.graph_name.value for quad in read(two.content, "nquads")}
    assert names == {subject_iri("board", "nano"), subject_iri("fleet", "house")}


@pytest.mark.parametrize(
    ("path", "accept", "status", "reason"),
    [
        ("?subject=device/nobody", "*/*", 404, "there is no device/nobody"),
        ("?subject=nothing", "*/*", 404, "is no subject"),
        ("?format=rdfa", "*/*", 400, "format"),
        ("", "image/png", 406, "the graph answers as text/turtle"),
    ],
)
def test_over_rest_refusals_are_sentences(world, reader, path, accept, status, reason):
    answer = reader.get(f"/api/v1/graph/{path}", headers={"accept": accept})
    assert (answer.status_code, reason in answer.content.decode()) == (status, True)


def test_over_rest_everything_is_bounded(world, reader, settings):
    settings.EXPORT_MAX_SUBJECTS = 3
    answer = reader.get("/api/v1/graph/")
    assert answer.status_code == 413
    assert "at most 3 subjects; name some, or use manage.py export_graph" in answer.json()["detail"]
    assert reader.get("/api/v1/graph/?subject=board/nano").status_code == 200


def test_nobody_unknown_may_take_it(world, client):
    assert client.get("/api/v1/graph/").status_code == 401
