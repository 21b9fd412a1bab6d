"""What is read of devices and networks that others describe, what is mended and what refused."""

from __future__ import annotations

import os

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontology.descriptions import DescriptionRefused, Graph, read_descriptions
from ontology.descriptions.terms import OTHER_NAMESPACES
from ontology.namespaces import PREFIXES, expand
from ontology.rdf_parser import NO_BASE, ParseRequest, answer

# Like the other fuzz tests: seeded, and as many examples as TINYFLEET_FUZZ_EXAMPLES says.
EXAMPLES = int(os.environ.get("TINYFLEET_FUZZ_EXAMPLES", "100"))
HEAD = "".join(f"@prefix {prefix}: <{iri}> .\n" for prefix, iri in PREFIXES.items())
DEVICE = """
<urn:x:1> a s3n:SmartSensor ; td:title "One"@en , "Eins"@de ; td:description "A board" ;
  ssn:hasSubSystem [ a sosa_extend:Camera ] , [ a sosa:Sensor , <http://e/LiDARSensor> ] , [
    a s3n:MicroController ; s3n:hasSystemCapability [ ssn-system:hasSystemProperty
      [ a s3n_extend:RAM ; schema:value 64 ; schema:unitCode om:kilobyte ] ,
      [ a s3n_extend:Flash ; schema:value 1 ; schema:unitCode om:mebibyte ] ] ] .
<http://e/LiDARSensor> rdfs:subClassOf sosa:Sensor .
"""
NETWORK = """
<urn:x:n> a nnet:NeuralNetwork ; schema:name "Net" ; schema:description "a net" ;
  schema:runtimePlatform "TFLite Micro" ; nnet:hasCategory nnet:ObjectDetection ;
  nnet:trainingDataset <http://e/data> ; nnet:hasMultiplyAccumulateOps 1.5e+03 ;
  nnet:hasMetric [ a nnet:Top_1_accuracy ; nnet:hasMetricValue 92.1 ] ;
  nnet:inputLayer [ nnet:hasQuantization nnet:Int8 ] ; nnet:outputLayer [] ;
  ssn:hasInput <urn:x:in> ; s3n:hasProcedureFeature
    [ ssn-system:inCondition
      [ a s3n_extend:RAM ; schema:minValue 8.08 ; schema:unitCode om:kilobyte ] ] ,
    [ ssn-system:inCondition
      [ a s3n_extend:Flash ; schema:minValue 18712 ; schema:unitCode om:byte ] ] .
[] a sosa_extend:Microphone ; ssn_extend:provideInput <urn:x:in> .
[] a sosa_extend:Camera ; ssn_extend:provideInput <urn:x:in> .
"""


def read(turtle: str):
    graph = Graph()
    quads = ox.parse(HEAD + turtle, format=ox.RdfFormat.TURTLE, base_iri=NO_BASE)
    graph.add("it.ttl", (quad.triple for quad in quads))
    return read_descriptions(graph)


def mends(turtle: str) -> list[str]:
    return [str(mend) for mend in read(turtle).mends]


def test_a_device_with_its_memory_and_sensors():
    (device,) = read(DEVICE).devices
    assert (device.iri, device.name, device.description) == ("urn:x:1", "One", "A board")
    assert (device.ram_bytes, device.flash_bytes) == (64_000, 1_048_576)
    assert device.sensors == ("camera", "li-dar")


def test_what_a_device_does_not_say_is_not_known():
    (device,) = read("<urn:x:1> a s3n:SmartSensor .").devices
    assert (device.ram_bytes, device.flash_bytes, device.sensors) == (None, None, None)


def test_a_network_with_its_figures_and_inputs():
    (network,) = read(NETWORK).networks
    assert (network.name, network.description, network.category) == (
        "Net", "a net", "ObjectDetection",
    )  # fmt: skip
    assert (network.ram_bytes, network.flash_bytes, network.macs) == (8_080, 18_712, 1_500)
    assert (network.accuracy, network.precision) == (0.921, "int8")
    assert (network.sensors, network.runtimes) == (("camera", "microphone"), ("tflite-micro",))
    assert network.data_source == "http://e/data"


def test_the_older_namespaces_say_the_same():
    text = HEAD + DEVICE + NETWORK
    for other, prefix in OTHER_NAMESPACES.items():
        if other.startswith("http://tinyml-schema.org/"):
            text = text.replace(f"<{PREFIXES[prefix]}>", f"<{other}>")
    graph = Graph()
    quads = ox.parse(text, format=ox.RdfFormat.TURTLE)
    graph.add("old.ttl", (quad.triple for quad in quads))
    said, expected = read_descriptions(graph), read(DEVICE + NETWORK)
    assert (said.devices, said.networks) == (expected.devices, expected.networks)
    assert (
        "old.ttl: the namespace <http://tinyml-schema.org/networkschema#> was read as"
        " <https://w3id.org/tinyml-schema/neural-network-schema#>"
    ) in [str(mend) for mend in said.mends]


@pytest.mark.parametrize(
    ("written", "instead", "sentence"),
    [
        ("sosa_extend:Camera", "sosa_extend::Camera", "it.ttl: sosa_extend::Camera has a colon"),
        ("92.1", "0.0", "the accuracy of Net is given as 0.0; taken as not known"),
        ("92.1", "0.921", "the accuracy of Net is 0.921; read as a fraction, not per cent"),
        ("8.08", "0", "the RAM that Net needs is given as 0; taken as not known"),
        ("<http://e/data>", "<None>", "<None> is no IRI; the nnet:trainingDataset of Net is"),
        ("<http://e/data>", "<e/data>", "<e/data> is a relative IRI; the nnet:trainingDataset"),
        ("ObjectDetection", "OtherCategory", "nnet:OtherCategory names no category"),
        ("sosa_extend:Microphone", "sosa_extend:OtherSensor", "OtherSensor names no kind"),
        ("<urn:x:n>", "<n>", "known here as <urn:tinyfleet:described:it.ttl:n>"),
        (
            "a net",
            'a net" ; schema:creator <None> ; rdfs:comment "',
            "the schema:creator of Net is",
        ),
        ("om:kilobyte", '"KB"', "1 size is in KB; read as 1000 bytes each"),
        ("om:kilobyte", "om:kilobyte", "1 size is in om:kilobyte; read as 1000 bytes each"),
    ],
)
def test_defects_are_mended_and_told(written, instead, sentence):
    assert any(sentence in mend for mend in mends(NETWORK.replace(written, instead)))


def test_what_is_mended_is_not_known():
    (network,) = read(NETWORK.replace("92.1", "0.0").replace("<http://e/data>", "<None>")).networks
    assert (network.accuracy, network.data_source) == (None, "")
    (network,) = read(NETWORK.replace("sosa_extend:Camera", "sosa_extend:OtherSensor")).networks
    assert network.sensors is None
    (network,) = read(NETWORK.replace("8.08", "0")).networks
    assert network.ram_bytes is None


@pytest.mark.parametrize(
    ("written", "instead", "reason"),
    [
        ("92.1", "921", "accuracy of Net is 921, which is above 100 %"),
        ("92.1", "92.1 , 93.5", "nnet:hasMetricValue of the accuracy of Net is 92.1 and 93.5"),
        ("92.1", "-1", "not from 0 to 2"),
        ("92.1", '"NaN"', "not from 0 to 2"),
        ("92.1", '"much"', "'much', which is no number"),
        ("8.08", "8.08 , 9", "8.08 and 9 at once; leave one"),
        ("8.08", "1e300", "not from 0 to 2"),
        ("om:kilobyte", "om:metre", "the RAM that Net needs is stated in om:metre"),
        ("; schema:unitCode om:kilobyte", "", "has no schema:unitCode; state one"),
        ("<urn:x:n>", f"<urn:x:{'n' * 300}>", "has more than 300 characters"),
        ('"TFLite Micro"', ",".join(f'"{n}"' for n in range(101)), "more than 100 platforms"),
        ("<urn:x:n>", "[]", "it.ttl: a neural network has no IRI"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(written, instead, reason):
    text = NETWORK.replace("<urn:x:n> a", "[] a", 1) if instead == "[]" else NETWORK
    with pytest.raises(DescriptionRefused, match=reason):
        read(text.replace(written, instead))


def test_more_kinds_of_sensors_than_anything_has_are_refused():
    sources = "".join(
        f"[] a sosa_extend:S{n} ; ssn_extend:provideInput <urn:x:in> ." for n in range(101)
    )
    with pytest.raises(DescriptionRefused, match="what feeds Net is more than 100 kinds"):
        read(NETWORK + sources)


def device_of(parts: str, more: str = "") -> tuple[str, ...] | None:
    (device,) = read(f"<urn:x:1> a s3n:SmartSensor {parts} . {more}").devices
    return device.sensors


def test_an_input_that_nothing_is_said_to_feed_leaves_the_sensors_unknown():
    text = NETWORK.replace("ssn:hasInput <urn:x:in>", "ssn:hasInput <urn:x:in> , <urn:x:in2>")
    said = read(text)
    assert said.networks[0].sensors is None
    sentence = "no sensor is stated for 1 of the 2 inputs of Net; what feeds Net is taken as not"
    assert any(sentence in str(mend) for mend in said.mends)
    fed = text + "[] a sosa_extend:Gyroscope ; ssn_extend:provideInput <urn:x:in2> ."
    assert read(fed).networks[0].sensors == ("camera", "gyroscope", "microphone")
    other = text + "[] a <http://e/Step> ; ssn_extend:provideInput <urn:x:in2> ."
    assert read(other).networks[0].sensors is None


def test_a_class_of_the_document_is_of_the_kind_of_a_class_above_it():
    classes = """<http://e/Hum> rdfs:subClassOf <http://e/Sound> .
      <http://e/Sound> rdfs:subClassOf sosa_extend:Microphone , <http://e/Hum> ."""
    assert device_of("; ssn:hasSubSystem [ a <http://e/Hum> ]", classes) == ("microphone",)


def test_a_class_below_more_classes_than_anything_is_is_refused():
    classes = "".join(f"<urn:c:{n}> rdfs:subClassOf <urn:c:{n + 1}> ." for n in range(101))
    with pytest.raises(DescriptionRefused, match=r"<urn:c:0> is below more than 100 classes"):
        device_of("; ssn:hasSubSystem [ a <urn:c:0> ]", classes)


def test_a_part_of_more_classes_than_anything_has_is_refused():
    classes = " , ".join(f"sosa_extend:S{n}" for n in range(101))
    with pytest.raises(DescriptionRefused, match=r"<urn:x:p> is of more than 100 classes"):
        device_of("; ssn:hasSubSystem <urn:x:p>", f"<urn:x:p> a {classes} .")


def test_parts_are_found_by_each_relation_and_its_inverse():
    parts = "; sosa:hosts [ a sosa_extend:Camera ] ; ssn:hasSubSystem [ a sosa_extend:Gyroscope ]"
    inverse = """[] a sosa_extend:Microphone ; ssn:isSubSystemOf <urn:x:1> .
      [] a sosa_extend:Magnetometer ; sosa:isHostedBy <urn:x:1> ."""
    kinds = ("camera", "gyroscope", "magnetometer", "microphone")
    assert device_of(parts, inverse) == kinds
    (device,) = read(f"[] a s3n:MicroController ; ssn:isSubSystemOf <urn:x:2> . {HEAD}").devices
    assert device.iri == "urn:x:2"


def test_a_part_of_several_classes_is_of_all_their_kinds():
    both = "; ssn:hasSubSystem [ a sosa:Sensor , sosa_extend:Camera , sosa_extend:Microphone ]"
    assert device_of(both) == ("camera", "microphone")
    classes = """<http://e/LiDAR> rdfs:subClassOf <http://e/Rangefinder> .
      <http://e/Rangefinder> rdfs:subClassOf sosa:Sensor ."""
    part = "; ssn:hasSubSystem [ a <http://e/LiDAR> , <http://e/Rangefinder> ]"
    assert device_of(part, classes) == ("li-dar",)


# ---------------------------------------------------------- whatever comes, nothing else is raised

TERMS = [
    expand(name)
    for name in (
        "rdf:type", "rdfs:subClassOf", "s3n:SmartSensor", "s3n:MicroController", "nnet:Metric",
        "ssn:hasSubSystem", "ssn:isSubSystemOf", "s3n:hasSystemCapability",
        "ssn-system:hasSystemProperty",
        "s3n_extend:RAM", "s3n_extend:Flash", "schema:value", "schema:minValue", "om:kilobyte",
        "schema:unitCode", "nnet:NeuralNetwork", "ssn:hasInput", "ssn_extend:provideInput",
        "sosa_extend:Camera", "sosa_extend::Camera", "sosa:Sensor", "nnet:hasMetric",
        "nnet:Top_1_accuracy", "nnet:hasMetricValue", "nnet:trainingDataset", "nnet:hasCategory",
        "s3n:hasProcedureFeature", "ssn-system:inCondition", "td:title", "schema:name",
        "nnet:hasMultiplyAccumulateOps", "schema:runtimePlatform", "nnet:hasQuantization",
    )
]  # fmt: skip
things = st.sampled_from(
    [ox.NamedNode(iri) for iri in [*TERMS, "urn:a", "urn:b", f"{NO_BASE}None"]]
)
nodes = st.one_of(things, st.sampled_from([ox.BlankNode("a"), ox.BlankNode("b")]))
literals = st.one_of(
    st.text(max_size=8), st.floats().map(str), st.integers().map(str), st.just("")
).map(ox.Literal)
triples = st.builds(ox.Triple, nodes, things, st.one_of(nodes, literals))


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(st.lists(triples, max_size=25))
def test_any_graph_is_read_or_refused(found):
    graph = Graph()
    graph.add("any.ttl", found)
    try:
        said = read_descriptions(graph)
    except DescriptionRefused as refused:
        assert str(refused)
        return
    for each in (*said.devices, *said.networks):
        assert each.iri
        assert all(
            size is None or 0 <= size <= 2**53 for size in (each.ram_bytes, each.flash_bytes)
        )
    assert all(n.accuracy is None or 0 < n.accuracy <= 1 for n in said.networks)


SAMPLES = {
    "text/turtle": HEAD + DEVICE + NETWORK,
    "application/rdf+xml": (
        '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "b">]><rdf:RDF xmlns:e="http://e/" '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><e:C rdf:about="http://e/x">'
        '<e:p rdf:parseType="Collection"><e:D/></e:p><e:q xml:lang="de">&a;</e:q></e:C></rdf:RDF>'
    ),
    "application/ld+json": (
        '{"@context": {"@vocab": "http://e/", "p": {"@id": "p", "@type": "@id"}}, "@graph": '
        '[{"@id": "x", "p": {"@list": ["a", {"@id": "_:b"}]},'
        ' "q": {"@value": "v", "@language": "de"}}]}'
    ),
    "application/trig": (
        "@prefix e: <http://e/> . GRAPH e:g { e:x e:p (1 2.5 true), [ e:q 'a'@de ] }"
    ),
}


@settings(max_examples=2 * EXAMPLES, deadline=None, derandomize=True)
@given(st.data())
def test_any_bytes_are_parsed_or_refused(data):
    media_type = data.draw(st.sampled_from(sorted(SAMPLES)))
    whole = bytearray(SAMPLES[media_type].encode())
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(whole)))
        end = min(len(whole), start + data.draw(st.integers(0, 12)))
        whole[start:end] = data.draw(st.binary(max_size=6) | st.sampled_from(PIECES))
    request = ParseRequest(media_type, 200, 200, 0, 1)
    head, body = answer(bytes(whole), request)
    assert head["status"] in {"ok", "syntax", "bound"}
    assert head["status"] == "ok" or (head["detail"] and body == b"")


PIECES = [b"<<(", b")>>", b"[", b"]", b'"""', b"@base <x> .", b"&a;", b"<![CDATA[", b'{"@context":']
