"""What a Thing Description says is in the graph, derived one way, and of its own thing only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest

from ontology.describe import Description
from ontology.namespaces import PREFIXES, expand
from ontology.reasoning import check_consistency, java_path
from ontology.store import GraphStore, MemoryStore, OxigraphServer
from ontology.vocabulary import ontology_triples
from registry.models import Device
from registry.projection.things import describe_thing
from registry.services.graph_check import differences
from registry.services.graph_sync import drain
from registry.services.things import import_thing
from tests.core.oxigraph_server import oxigraph_server
from tests.registry.td_samples import THING, with_change

HEAD = "".join(f"PREFIX {prefix}: <{iri}>\n" for prefix, iri in PREFIXES.items())
DEVICE = "https://w3id.org/tinyfleet/id/device/mast"
MAST = THING | {
    "ssn:hasSubSystem": [
        {"@type": ["sx:Microphone", "ace:Recorder"], "sosa:observes": {"@id": "ace:Wind"}},
        {"@type": "https://w3id.org/tinyfleet/ontology#GasSensor"},
        {"name": "says nothing of what it is"},
    ]
}


def graph_of(td: dict[str, Any]) -> list[ox.Triple]:
    subject = Description(DEVICE)
    describe_thing(subject, json.dumps(td))
    return subject.triples


@pytest.fixture
def mast() -> MemoryStore:
    store = MemoryStore()
    store.replace_graph(DEVICE, graph_of(MAST))
    return store


def values(store: GraphStore, name: str, pattern: str) -> list[str]:
    rows = store.select(f"{HEAD}SELECT ?{name} WHERE {{ {pattern} }} ORDER BY ?{name}")
    return [row[name].value for row in rows]


def test_it_says_who_the_thing_is(mast: MemoryStore) -> None:
    assert values(mast, "id", f"<{DEVICE}> tf:thingIdentifier ?id") == [THING["id"]]
    rows = mast.select(
        f"{HEAD}SELECT ?title WHERE {{ <{DEVICE}> td:title|td:titleInLanguage ?title }}"
    )
    assert {(row["title"].value, row["title"].language) for row in rows} == {
        ("Weather mast", "en"),
        ("Wettermast", "de-at"),
    }
    assert mast.ask(f"{HEAD}ASK {{ <{DEVICE}> a td:Thing , sosa:Platform , ssn:System }}")
    assert values(mast, "when", f"<{DEVICE}> dcterms:modified ?when")[0].startswith("2026-02-01T")
    schemes = values(mast, "kind", f"<{DEVICE}> td:hasSecurityConfiguration/a ?kind")
    assert schemes == [expand("wotsec:BasicSecurityScheme"), expand("wotsec:SecurityScheme")]


def test_it_says_what_can_be_done_and_how(mast: MemoryStore) -> None:
    readable = "?p a td:PropertyAffordance ; td:name ?name ; td:hasForm ?form ."
    readable += " ?form hctl:hasOperationType td:observeProperty ; hctl:hasTarget ?target"
    assert values(mast, "target", f"<{DEVICE}> td:hasPropertyAffordance ?p . {readable}") == [
        "temperature{?unit}"
    ]
    whole = f"<{DEVICE}> td:hasForm/hctl:hasOperationType ?operation"
    assert values(mast, "operation", whole) == [expand("td:readAllProperties")]
    event = f"<{DEVICE}> td:hasEventAffordance/td:hasForm/hctl:hasOperationType ?operation"
    assert values(mast, "operation", event) == [
        expand("td:subscribeEvent"),
        expand("td:unsubscribeEvent"),
    ]


def test_affordances_are_about_what_can_be_observed_or_changed(mast: MemoryStore) -> None:
    pattern = "?a td:name ?name ; ssn:forProperty/a sosa:{}"
    assert values(mast, "name", pattern.format("ObservableProperty")) == ["frost", "temperature"]
    assert values(mast, "name", pattern.format("ActuatableProperty")) == ["heat"]


def test_sensors_and_actuators_are_found_by_any_class_above_theirs(mast: MemoryStore) -> None:
    part = f"<{DEVICE}> ssn:hasSubSystem ?part . ?part a"
    sensors = values(mast, "part", f"{part} sosa:Sensor")
    assert len(sensors) == 3
    assert len(values(mast, "part", f"{part} ssn:System")) == 4
    observed = values(mast, "what", f"{part} sosa_extend:Microphone ; sosa:observes ?what")
    assert observed == ["https://example.org/ace#Wind", expand("tf:SoundPressure")]
    quality = "^ssn:forProperty/td:name ?name"
    assert values(mast, "name", f"{part} sosa_extend:Thermometer ; sosa:observes/{quality}") == [
        "temperature"
    ]
    assert values(mast, "name", f"{part} sosa:Actuator ; sosa:actsOnProperty/{quality}") == ["heat"]


@pytest.mark.parametrize(
    "claimed",
    [
        "https://w3id.org/tinyfleet/ontology#Variant",
        "https://w3id.org/tinyfleet/ontology#Fleet",
        "https://w3id.org/tinyfleet/ontology#Unheard-of",
        "https://w3id.org/tinyfleet/id/device/other",
        "https://w3id.org/tinyml-schema/neural-network-schema#NeuralNetwork",
        "https://w3id.org/tinyml-schema/neural-network-schema#Layer",
        "http://www.w3.org/2002/07/owl#Class",
        "http://www.w3.org/ns/prov#Activity",
    ],
)
def test_a_thing_cannot_claim_to_be_what_the_inventory_or_the_ontology_says(claimed: str) -> None:
    plain = set(graph_of(with_change("@type", "Thing")))
    assert set(graph_of(with_change("@type", ["Thing", claimed]))) == plain


def test_types_of_other_vocabularies_are_kept_where_their_meaning_is_known() -> None:
    kinds = ["ace:Mast", "https://a.example/Mast", "undefined:Mast", "bare"]
    said = {t.object.value for t in graph_of(with_change("@type", kinds))}
    assert {"https://example.org/ace#Mast", "https://a.example/Mast"} <= said
    assert not {text for text in said if text.endswith(("undefined:Mast", "bare"))}


def test_every_triple_is_of_the_thing_or_a_part_and_names_no_other_subject(data_dir: Path) -> None:
    declared = {triple.subject.value for triple in ontology_triples()}
    spoken = tuple(PREFIXES[name] for name in ("tf", "td", "hctl", "wotsec", "ssn", "sosa"))
    for file in sorted((data_dir / "w3c-wot" / "tds").glob("[vw]*/*.json")):
        triples = graph_of(json.loads(file.read_bytes()))
        assert triples, file.name
        assert {triple.subject.value.partition("#")[0] for triple in triples} == {DEVICE}
        assert not any(isinstance(triple.object, ox.BlankNode) for triple in triples)
        terms = {t.predicate.value for t in triples} | {t.object.value for t in triples}
        assert {term for term in terms if term.startswith(spoken)} <= declared, file.name


def test_affordances_never_run_into_each_other() -> None:
    forms = [{"href": "x"}]
    names = ["a", "a-1", "1-a", "a/1", "a b", "", "property-a", "form-1"]
    td = THING | {kind: {n: {"forms": forms} for n in names} for kind in ("properties", "actions")}
    places = [t.subject for t in graph_of(td) if t.predicate.value == expand("td:name")]
    assert len(set(places)) == len(places) == 2 * len(names) - 1


@pytest.mark.skipif(java_path() is None, reason="HermiT needs Java, and there is none on the path")
def test_it_agrees_with_the_ontology() -> None:
    head = "".join(f"@prefix {prefix}: <{iri}> .\n" for prefix, iri in PREFIXES.items())
    said = "".join(f"{triple} .\n" for triple in graph_of(MAST))
    assert check_consistency(extra_turtle=f"{head}<{DEVICE}> a tf:Device .\n{said}").consistent


@pytest.mark.django_db
def test_a_description_that_is_no_longer_accepted_is_kept_and_the_device_stays(settings) -> None:
    device_id = import_thing(json.dumps(THING).encode()).device_id
    settings.DESCRIPTION_MAX_AFFORDANCES = 1
    store = MemoryStore()
    drain(store)
    assert store.ask(f"{HEAD}ASK {{ ?d a tf:Device ; dcterms:identifier '{device_id}' }}")
    assert not store.ask(f"{HEAD}ASK {{ ?d td:title ?title }}")


@pytest.mark.django_db
def test_a_real_store_gives_back_exactly_what_was_derived(
    data_dir: Path, tmp_path: Path, settings
) -> None:
    for file in sorted((data_dir / "w3c-wot" / "tds").glob("[vw]*/*.json")):
        import_thing(file.read_bytes())
    import_thing(json.dumps(MAST).encode())
    assert Device.objects.count() > 30
    with oxigraph_server(tmp_path / "graph") as address:
        store = OxigraphServer(address, settings.NETWORK_TIMEOUT_S)
        drain(store)
        assert list(differences(store)) == []
        titles = values(store, "title", "?d a td:Thing ; td:title ?title")
        store.close()
    assert "شيء يخصني يقيس درجة الحرارة" in titles
