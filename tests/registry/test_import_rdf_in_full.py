"""What else a description says is in the graph: layers, credits, interactions, parts of parts."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from ontology.namespaces import PREFIXES
from ontology.store import MemoryStore
from registry.models import Device, Variant
from registry.services.graph_check import differences
from registry.services.graph_sync import drain
from tests.registry.asking import answers
from tests.registry.asking import device as device_iri
from tests.registry.asking import variant as variant_iri

pytestmark = pytest.mark.django_db

HEAD = "".join(f"@prefix {prefix}: <{iri}> .\n" for prefix, iri in PREFIXES.items())
ASK = "".join(f"PREFIX {prefix}: <{iri}>\n" for prefix, iri in PREFIXES.items())
NETWORK = """
<https://example.org/net> a nnet:NeuralNetwork ; schema:name "net" ;
  schema:creator "Ada" ; schema:dateCreated "2021-12-12" ;
  schema:citation <https://example.org/paper> ;
  nnet:inputLayer [ nnet:hasType nnet:Conv2D ; nnet:hasActivation nnet:Relu ;
    nnet:hasQuantization nnet:Int8 ; nnet:hasIndex 1 ; nnet:shapeIn "[   1  8 8 1]" ] ;
  nnet:middleLayer [ nnet:hasType nnet:Swirl ; nnet:hasIndex 10 ] ,
    [ nnet:hasType nnet:Reshape ; nnet:hasIndex 9 ] , [ nnet:hasIndex 8 ] ;
  nnet:outputLayer [ nnet:hasType nnet:Softmax ; nnet:hasIndex 11 ; nnet:shapeOut "1x10" ] .
"""
MAST = """
<https://example.org/mast> a s3n:SmartSensor ; td:title "mast" ;
  ssn:hasSubSystem [ a ssn:System ;
    sosa:hosts [ a sosa_extend:Microphone ] ; ssn:hasSubSystem <https://example.org/head> ] ;
  td:hasPropertyAffordance [ td:title "Wind"@en ; td:description "How it blows." ;
    td:hasForm [ td:href "https://example.org/wind" ; td:op "readproperty" , "observeproperty" ] ] ;
  td:hasActionAffordance [ td:name "heat" ;
    td:hasForm [ hctl:hasTarget "coap://mast/heat" ; hctl:hasOperationType td:invokeAction ] ] .
<https://example.org/chip> a s3n:MicroController ; ssn:isSubSystemOf <https://example.org/head> ;
  s3n:hasSystemCapability [ ssn-system:hasSystemProperty
    [ a s3n_extend:RAM ; schema:value 64 ; schema:unitCode om:kilobyte ] ] .
"""


@pytest.fixture
def come_in(tmp_path: Path):
    def run(text: str) -> str:
        (tmp_path / "said.ttl").write_text(HEAD + text)
        out = StringIO()
        call_command("import_rdf", str(tmp_path / "said.ttl"), stdout=out)
        return out.getvalue()

    return run


def projected() -> MemoryStore:
    store = MemoryStore()
    drain(store)
    assert list(differences(store)) == []
    return store


def test_the_layers_stand_in_their_order_by_the_names_that_files_use(come_in) -> None:
    come_in(NETWORK)
    store = projected()
    rows = store.select(
        f"{ASK}SELECT ?place ?operator ?in ?out {{ ?network tf:hasLayer ?layer ."
        " ?layer nnet:hasIndex ?place ; tf:operatorName ?operator ."
        " OPTIONAL { ?layer nnet:shapeIn ?in } OPTIONAL { ?layer nnet:shapeOut ?out } }"
        " ORDER BY ?place"
    )
    assert [{name: term.value for name, term in row.items()} for row in rows] == [
        {"place": "1", "operator": "CONV_2D", "in": "1x8x8x1"},
        {"place": "2", "operator": "RESHAPE"},
        {"place": "3", "operator": "Swirl"},
        {"place": "4", "operator": "SOFTMAX", "out": "1x10"},
    ]
    first = "?network nnet:inputLayer [ nnet:hasType nnet:Conv2D ; nnet:hasActivation nnet:Relu ;"
    assert store.ask(f"{ASK}ASK {{ {first} nnet:hasQuantization nnet:Int8 ] }}")
    assert store.ask(f"{ASK}ASK {{ ?network nnet:outputLayer/nnet:hasType nnet:Softmax }}")
    assert Variant.objects.get().operators is None, "that no other layer is there nobody said"


def test_only_so_many_layers_are_kept_and_all_are_counted(come_in, settings) -> None:
    settings.DESCRIBED_LAYERS_MAX = 2
    come_in(NETWORK)
    store = projected()
    assert store.ask(f"{ASK}ASK {{ ?network tf:layerCount 4 ; nnet:middleLayer ?second }}")
    assert not store.ask(f"{ASK}ASK {{ ?network nnet:outputLayer ?last }}")


def test_who_made_a_network_when_and_where_it_is_told_of(come_in) -> None:
    come_in(NETWORK)
    credits = 'schema:creator "Ada" ; schema:dateCreated "2021-12-12" ;'
    paper = "schema:citation <https://example.org/paper>"
    subject = f"<{variant_iri(Variant.objects.get())}>"
    assert projected().ask(f"{ASK}ASK {{ {subject} {credits} {paper} }}")


def test_what_one_can_do_with_a_described_thing(come_in) -> None:
    come_in(MAST)
    rows = answers(projected(), "interactions", device=device_iri(Device.objects.get().device_id))
    assert [(row["name"], row["operation"], row["target"]) for row in rows] == [
        ("Wind", "observe property", "https://example.org/wind"),
        ("Wind", "read property", "https://example.org/wind"),
        ("heat", "invoke action", "coap://mast/heat"),
    ]
    assert "unchanged" in come_in(MAST)


def test_parts_of_parts_belong_to_the_smart_sensor_around_them(come_in) -> None:
    come_in(MAST)
    row = Device.objects.get()
    assert [sensor["kind"] for sensor in row.profile.sensors] == ["microphone"]
    assert row.profile.firmware.arena_budget_bytes == 64_000


def test_a_smart_sensor_within_another_keeps_its_own(come_in) -> None:
    come_in(
        "<urn:hub> a s3n:SmartSensor ; ssn:hasSubSystem <urn:leaf> , [ a sosa_extend:Camera ] ."
        " <urn:leaf> a s3n:SmartSensor ; ssn:hasSubSystem <urn:hub> , [ a sosa_extend:Microphone ]."
    )
    kinds = {row.iri: [s["kind"] for s in row.profile.sensors] for row in Device.objects.all()}
    assert kinds == {"urn:hub": ["camera"], "urn:leaf": ["microphone"]}


def test_parts_without_end_are_refused(come_in) -> None:
    chain = "".join(f"<urn:p{n}> ssn:hasSubSystem <urn:p{n + 1}> .\n" for n in range(1_001))
    with pytest.raises(CommandError, match="more than 1,000 parts"):
        come_in(f"<urn:p0> a s3n:SmartSensor .\n{chain}")
    assert not Device.objects.exists()


def test_more_to_do_than_a_thing_may_offer_is_refused(come_in, settings) -> None:
    settings.DESCRIPTION_MAX_AFFORDANCES = 1
    with pytest.raises(CommandError, match="TINYFLEET_DESCRIPTION_MAX_AFFORDANCES"):
        come_in(MAST)
    assert not Device.objects.exists()
