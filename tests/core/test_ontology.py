"""The ontology holds together, explains each of its terms, and says what others rely on."""

import re
from pathlib import Path

import pytest
import rdflib
from rdflib.namespace import DCTERMS, OWL, RDF, RDFS, SKOS

from ontology.namespaces import PREFIXES, expand
from ontology.questions import QUERIES
from ontology.reasoning import ReasonerMissing, check_consistency, java_path
from ontology.vocabulary import (
    ONTOLOGY_FILE,
    SHAPES_FILE,
    materialised_triples,
    observed_property,
    sensor_class,
    superclasses,
)

TF = PREFIXES["tf"]
DECLARED = (OWL.Class, OWL.ObjectProperty, OWL.DatatypeProperty, OWL.AnnotationProperty)
HEAD = "".join(f"@prefix {prefix}: <{iri}> .\n" for prefix, iri in PREFIXES.items())

needs_java = pytest.mark.skipif(
    java_path() is None, reason="HermiT needs Java, and there is none on the path"
)


@pytest.fixture(scope="module")
def graph():
    return rdflib.Graph().parse(ONTOLOGY_FILE)


def terms(graph):
    found = {term for kind in DECLARED for term in graph.subjects(RDF.type, kind)}
    return sorted(term for term in found if isinstance(term, rdflib.URIRef))


def test_every_class_and_property_is_explained_whoever_named_it(graph):
    language = (str(OWL), str(RDF), str(RDFS))
    used = {term for term in graph.predicates() if not str(term).startswith(language)}
    assert used <= set(terms(graph))
    for term in terms(graph):
        assert graph.value(term, RDFS.label), f"{term} has no label"
        assert graph.value(term, SKOS.definition), f"{term} has no definition"
        assert graph.value(term, DCTERMS.source), f"{term} has no source"


def test_no_class_or_property_is_explained_twice(graph):
    for term in terms(graph):
        assert len(list(graph.objects(term, SKOS.definition))) == 1, term
        assert len(set(graph.objects(term, RDF.type)) & set(DECLARED)) == 1, term


def test_every_individual_is_named(graph):
    individuals = list(graph.subjects(RDF.type, OWL.NamedIndividual))
    assert [each for each in individuals if not graph.value(each, RDFS.label)] == []


def test_nothing_is_imported(graph):
    assert not list(graph.objects(None, OWL.imports))


def test_our_terms_are_aligned_with_those_of_others(graph):
    for ours, theirs in [
        ("tf:Device", "td:Thing"),
        ("tf:Device", "ssn:System"),
        ("tf:SensingDevice", "s3n:SmartSensor"),
        ("tf:Variant", "nnet:NeuralNetwork"),
        ("tf:Variant", "sosa:Procedure"),
        ("tf:Variant", "prov:Entity"),
        ("tf:Measurement", "sosa:Observation"),
        ("tf:CapabilityProfile", "ssn-system:SystemCapability"),
        ("tf:BoardType", "schema:ProductModel"),
    ]:
        assert expand(theirs) in superclasses(expand(ours)), f"{ours} is no {theirs}"


DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = [DOCS / "ontology.md", DOCS / "mqtt-protocol.md"]


@pytest.mark.parametrize(
    "file", [SHAPES_FILE, *sorted(QUERIES.glob("*.rq")), *PAGES], ids=lambda path: path.name
)
def test_shapes_questions_and_pages_use_declared_terms(graph, file: Path):
    declared = {str(term) for term in graph.subjects(RDF.type, None)}
    used = set(re.findall(r"\btf:([\w-]+)", file.read_text()))
    assert {name for name in used if TF + name not in declared} == set()


def test_a_kind_of_sensor_is_a_class_that_observes_something():
    microphone = sensor_class("microphone")
    assert microphone == expand("sosa_extend:Microphone")
    assert expand("sosa:Sensor") in superclasses(microphone)
    assert observed_property(microphone) == expand("tf:SoundPressure")


def test_an_unheard_of_kind_is_still_a_sensor():
    assert sensor_class("seismometer") == expand("sosa:Sensor")
    assert observed_property(expand("sosa:Sensor")) is None


def test_the_closure_is_stated_for_stores_that_infer_nothing():
    stated = {tuple(str(part) for part in triple) for triple in materialised_triples()}
    for below, relation, above in [
        ("tf:Variant", "rdfs:subClassOf", "sosa:Procedure"),
        ("tf:failsRam", "rdfs:subPropertyOf", "tf:hasVerdictOn"),
    ]:
        assert tuple(f"<{expand(name)}>" for name in (below, relation, above)) in stated
    assert not any(part.startswith("_:") for triple in stated for part in triple)


@needs_java
def test_it_is_consistent_and_every_class_can_have_members():
    result = check_consistency()
    assert result.consistent
    assert result.unsatisfiable == ()


@needs_java
def test_classes_that_can_have_no_member_are_found():
    result = check_consistency(
        extra_turtle=HEAD
        + "tf:Odd a owl:Class ; rdfs:subClassOf tf:Device , tf:Variant ."
        + "tf:Even a owl:Class ; rdfs:subClassOf s3n_extend:RAM , s3n_extend:Flash ."
        + "tf:Release rdfs:subClassOf tf:TrainingRun ."
    )
    assert result.consistent
    assert set(result.unsatisfiable) == {TF + "Odd", TF + "Even", TF + "Release"}


@needs_java
@pytest.mark.parametrize(
    "axioms",
    [
        "tf:x a tf:Device , tf:BoardType .",
        "tf:v tf:fits tf:p ; tf:failsRam tf:p .",
        "tf:v tf:fits tf:p ; tf:unknownFor tf:p .",
        "tf:p tf:assumed true , false .",
        "tf:v tf:meets tf:precondition-int8 ; tf:doesNotMeet tf:precondition-int8 .",
        "tf:m tf:figureStatus tf:Guessed . tf:Guessed owl:differentFrom tf:Measured , tf:Derived ,"
        " tf:Published .",
    ],
)
def test_a_contradiction_is_found(axioms):
    assert not check_consistency(extra_turtle=HEAD + axioms).consistent


def test_without_java_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReasonerMissing, match="install a JRE"):
        check_consistency()
