"""What /sparql and /.well-known/void say of the service and of the graph: counted, and true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest
from django.test import Client
from rdflib import RDF, XSD, Graph, Literal, Namespace, URIRef

from ontology.readers import QueryFailed
from ontology.service_description import GraphStatistics
from registry.services.sparql import close_pools

SD = Namespace("http://www.w3.org/ns/sparql-service-description#")
VOID = Namespace("http://rdfs.org/ns/void#")
FOAF = Namespace("http://xmlns.com/foaf/0.1/")
EX = "http://example.org/"
FORMATS = [
    "text/turtle",
    "application/n-triples",
    "application/n-quads",
    "application/ld+json",
    "application/rdf+xml",
]
PLACES = ["/sparql", "/.well-known/void"]
HOST = "http://testserver"

pytestmark = pytest.mark.django_db


def write(path: Path, *quads: str) -> None:
    store = ox.Store(str(path))
    store.load("\n".join(f"{quad} ." for quad in quads).encode(), format=ox.RdfFormat.N_QUADS)
    store.flush()


@pytest.fixture
def graph_dir(tmp_path: Path, settings) -> Iterator[Path]:
    """Five triples in two graphs: two people, and a blank node."""
    settings.GRAPH_DIR = tmp_path / "graph"
    settings.GRAPH_URL = ""
    write(
        settings.GRAPH_DIR,
        f"<{EX}ada> <{RDF.type}> <{FOAF.Person}> <{EX}g1>",
        f'<{EX}ada> <{FOAF.name}> "Ada" <{EX}g1>',
        f"<{EX}bob> <{RDF.type}> <{FOAF.Person}> <{EX}g2>",
        f"<{EX}bob> <{FOAF.knows}> _:someone <{EX}g2>",
        f'_:someone <{FOAF.name}> "Eve" <{EX}g2>',
    )
    yield settings.GRAPH_DIR
    close_pools()


@pytest.fixture
def client(graph_dir: Path, django_user_model) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_user("reader"))
    return client


def described(client: Client, place: str = "/sparql", accept: str = "*/*") -> Graph:
    answer = client.get(place, headers={"accept": accept})
    assert answer.status_code == 200, answer.content
    media_type = answer["Content-Type"].partition(";")[0]
    assert accept in {"*/*", media_type}
    quads = ox.parse(answer.content, format=ox.RdfFormat.from_media_type(media_type))
    triples = (ox.Triple(quad.subject, quad.predicate, quad.object) for quad in quads)
    return Graph().parse(ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES), format="nt")


@pytest.mark.parametrize("place", PLACES)
def test_every_format_says_the_same(client: Client, place: str) -> None:
    first, *others = (described(client, place, form) for form in FORMATS)
    assert len(first) > 20
    assert all(other.isomorphic(first) for other in others)
    assert client.get(place, headers={"accept": "image/png"}).status_code == 406


@pytest.mark.parametrize("place", PLACES)
def test_the_figures_are_counted(client: Client, graph_dir: Path, place: str) -> None:
    def figures() -> dict[str, int]:
        found = described(client, place)
        (dataset,) = found.subjects(VOID.sparqlEndpoint, URIRef(f"{HOST}/sparql"))
        names = ("triples", "entities", "classes", "properties", "distinctSubjects")
        return {name: found.value(dataset, VOID[name]).toPython() for name in names}

    expected = {"triples": 5, "entities": 2, "classes": 1, "properties": 3, "distinctSubjects": 3}
    assert figures() == expected
    write(graph_dir, f"<{EX}cat> <{RDF.type}> <{EX}Cat> <{EX}g3>")
    assert figures() == expected | {
        "triples": 6,
        "entities": 3,
        "classes": 2,
        "distinctSubjects": 4,
    }


def test_partitions_and_vocabularies_are_those_in_use(client: Client) -> None:
    found = described(client, "/.well-known/void")
    by_property = {
        str(found.value(part, VOID.property)): found.value(part, VOID.triples).toPython()
        for part in found.objects(predicate=VOID.propertyPartition)
    }
    assert by_property == {str(RDF.type): 2, str(FOAF.name): 2, str(FOAF.knows): 1}
    (people,) = found.objects(predicate=VOID.classPartition)
    assert found.value(people, VOID["class"]) == FOAF.Person
    assert found.value(people, VOID.entities) == Literal(2, datatype=XSD.integer)
    assert set(found.objects(predicate=VOID.vocabulary)) == {URIRef(RDF), URIRef(FOAF)}


@pytest.mark.parametrize(
    ("term", "namespace"),
    [
        ("http://iotschema.orgSwitchStatus", None),
        ("http:///Nowhere", None),
        ("urn:ex", None),
        ("https://example.org/a/B", "https://example.org/a/"),
        ("https://example.org#B", "https://example.org#"),
        ("urn:ex:terms#B", "urn:ex:terms#"),
        ("tag:me,2026:a/B", "tag:me,2026:a/"),
    ],
)
def test_a_namespace_has_a_host_where_its_term_has_one(term: str, namespace: str | None) -> None:
    counted = GraphStatistics(instances_by_class={term: 1})
    assert counted.vocabularies == ([] if namespace is None else [namespace])


def test_named_graphs_are_listed_as_far_as_a_setting_allows(client: Client, settings) -> None:
    found = described(client)
    sizes = {
        str(found.value(named, SD.name)): found.value(
            found.value(named, SD.graph), VOID.triples
        ).toPython()
        for named in found.objects(predicate=SD.namedGraph)
    }
    assert sizes == {f"{EX}g1": 2, f"{EX}g2": 3}
    settings.SPARQL_LISTED_GRAPHS_MAX = 1
    write(settings.GRAPH_DIR, f"<{EX}ada> <{FOAF.age}> <{EX}x> <{EX}g1>")  # it is counted anew
    without = described(client)
    assert list(without.objects(predicate=SD.namedGraph)) == []
    assert any("There are 2 of them" in str(text) for text in without.objects())


def test_what_cannot_be_counted_is_left_out(client: Client, settings) -> None:
    settings.SPARQL_MAX_ROWS = 2  # three predicates, two graphs, one class
    found = described(client, "/.well-known/void")
    assert list(found.objects(predicate=VOID.triples)) == []
    assert {int(each) for each in found.objects(predicate=VOID.classes)} == {1}


def test_what_could_not_be_counted_just_now_is_counted_the_next_time(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*asked: object) -> bytes:
        raise QueryFailed("busy", "no reader became free")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("registry.services.graph_statistics.answer", busy)
        assert list(described(client).objects(predicate=VOID.triples)) == []
    assert set(described(client).objects(predicate=VOID.triples)) >= {Literal(5)}


def test_counting_stops_when_a_query_would_have_to(client: Client, settings) -> None:
    settings.SPARQL_TIMEOUT_S = -1.0
    found = described(client, "/.well-known/void")
    assert list(found.objects(predicate=VOID.triples)) == []
    assert len(list(found.objects(predicate=VOID.sparqlEndpoint))) == 1


def test_only_features_that_there_are(client: Client) -> None:
    found = described(client)
    (service,) = found.subjects(RDF.type, SD.Service)
    assert set(found.objects(service, SD.feature)) == {SD.UnionDefaultGraph}
    assert set(found.objects(service, SD.supportedLanguage)) == {SD.SPARQL11Query}
    count = "SELECT ?n { { SELECT (COUNT(*) AS ?n) { ?s ?p ?o } } }"
    answer = client.get("/sparql", {"query": count}, headers={"accept": "text/csv"})
    assert answer.text.split() == ["n", "5"]  # the default graph is the union, as it says


@pytest.mark.parametrize("path", ["/sparql", "/sparql/"])
def test_the_endpoint_is_the_address_that_was_asked(client: Client, path: str) -> None:
    found = described(client, path)
    assert set(found.objects(predicate=SD.endpoint)) == {URIRef(HOST + path)}
    assert client.get(path, {"query": "ASK {}"}).status_code == 200


def test_the_document_is_about_the_data_set(client: Client) -> None:
    found = described(client, "/.well-known/void")
    document = URIRef(f"{HOST}/.well-known/void")
    assert (document, RDF.type, VOID.DatasetDescription) in found
    assert (found.value(document, FOAF.primaryTopic), RDF.type, VOID.Dataset) in found


@pytest.mark.parametrize("place", PLACES)
def test_it_has_a_tag_that_changes_with_the_graph(
    client: Client, graph_dir: Path, place: str
) -> None:
    tag = client.get(place)["ETag"]
    assert client.get(place, headers={"if-none-match": tag}).status_code == 304
    write(graph_dir, f"<{EX}ada> <{FOAF.age}> <{EX}x> <{EX}g1>")
    assert client.get(place, headers={"if-none-match": tag}).status_code == 200


@pytest.mark.parametrize("place", PLACES)
def test_nobody_unknown_reads_it_unless_reading_is_open(
    graph_dir: Path, settings, place: str
) -> None:
    assert Client().get(place).status_code == 401
    settings.TINYFLEET_PUBLIC_READ = True
    assert Client().get(place).status_code == 200


def test_there_is_a_description_before_there_is_a_graph(
    client: Client, settings, tmp_path: Path
) -> None:
    settings.GRAPH_DIR = tmp_path / "none"
    found = described(client)
    assert set(found.objects(predicate=SD.endpoint)) == {URIRef(f"{HOST}/sparql")}
