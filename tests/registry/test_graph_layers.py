"""A network's layers, tensors and quantization stand in the graph as its file has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontology.store import MemoryStore
from registry.models import SubjectKind, Variant
from registry.projection.facts import BareBoard
from registry.projection.subjects import project
from registry.services.graph_sync import drain
from registry.services.networks import Registration, import_network
from tests.registry.tiny_networks import dense, dense_tree, write

pytestmark = pytest.mark.django_db

LAYERS = """
PREFIX tf: <https://w3id.org/tinyfleet/ontology#>
PREFIX nnet: <https://w3id.org/tinyml-schema/neural-network-schema#>
SELECT ?index ?operator ?type ?number ?macs ?in ?out WHERE {
  ?variant tf:hasLayer ?layer . ?layer a nnet:Layer ; nnet:hasIndex ?index ;
    tf:operatorName ?operator ; nnet:hasMultiplyAccumulateOps ?macs ;
    nnet:shapeIn ?in ; nnet:shapeOut ?out .
  OPTIONAL { ?layer nnet:hasType ?type } OPTIONAL { ?layer nnet:hasQuantization ?number }
} ORDER BY ?index
"""
WEIGHTS = """
PREFIX tf: <https://w3id.org/tinyfleet/ontology#>
SELECT ?dtype ?shape ?bytes ?scale ?zero ?axis ?scales WHERE {
  ?layer tf:reads ?tensor . ?tensor tf:constant true ; tf:dtype ?dtype ; tf:shape ?shape ;
    tf:sizeBytes ?bytes .
  OPTIONAL { ?tensor tf:scale ?scale ; tf:zeroPoint ?zero }
  OPTIONAL { ?tensor tf:quantizedAxis ?axis ; tf:scaleCount ?scales }
} ORDER BY ?shape
"""
COUNTS = """
PREFIX tf: <https://w3id.org/tinyfleet/ontology#>
PREFIX nnet: <https://w3id.org/tinyml-schema/neural-network-schema#>
SELECT (COUNT(?layer) AS ?layers) (SUM(?macs) AS ?sum) WHERE {
  ?variant tf:hasLayer ?layer . ?layer nnet:hasMultiplyAccumulateOps ?macs }
"""
ENDS = """
PREFIX nnet: <https://w3id.org/tinyml-schema/neural-network-schema#>
SELECT ?end (COUNT(?layer) AS ?layers) WHERE {
  VALUES ?end { nnet:inputLayer nnet:middleLayer nnet:outputLayer } ?variant ?end ?layer
} GROUP BY ?end
"""


def graph_of(data: bytes) -> tuple[Variant, MemoryStore]:
    """The network as it is imported, and the graph that comes of it."""
    variant = import_network("net", Registration("as-it-came"), data)
    store = MemoryStore()
    drain(store)
    return variant, store


def rows(store: MemoryStore, query: str) -> list[list[str]]:
    return [[term.value.rpartition("#")[2] for term in row.values()] for row in store.select(query)]


def chain(layers: int) -> bytes:
    """Fully connected layers, each of which reads the same tensors."""
    tree = dense_tree()
    subgraph = tree["subgraphs"][0]
    subgraph["operators"] = subgraph["operators"] * layers
    return write(tree)


def test_a_layer_says_what_it_computes_and_how_much() -> None:
    _, store = graph_of(dense(features=4, classes=3))
    assert rows(store, LAYERS) == [
        ["1", "FULLY_CONNECTED", "FullyConnected", "Int8", "12", "1x4", "1x3"]
    ]


def test_weights_say_their_type_size_and_scale() -> None:
    _, store = graph_of(dense(features=4, classes=3))
    assert rows(store, WEIGHTS) == [
        ["int32", "3", "12", "0.125", "0"],
        ["int8", "3x4", "12", "0.125", "0"],
    ]


def test_a_scale_a_channel_is_an_axis_and_a_count() -> None:
    tree = dense_tree()
    weights = tree["subgraphs"][0]["tensors"][1]
    weights["quantization"] = {"scale": (0.5, 0.25, 0.125), "zero_point": (0, 0, 0)}
    _, store = graph_of(write(tree))
    assert rows(store, WEIGHTS)[1] == ["int8", "3x4", "12", "0", "3"]


def test_first_middle_and_last_layers_are_told_apart() -> None:
    _, store = graph_of(chain(5))
    assert sorted(rows(store, ENDS)) == [
        ["inputLayer", "1"],
        ["middleLayer", "3"],
        ["outputLayer", "1"],
    ]


def test_a_single_layer_is_first_and_last() -> None:
    _, store = graph_of(chain(1))
    assert sorted(rows(store, ENDS)) == [["inputLayer", "1"], ["outputLayer", "1"]]


def test_of_a_very_long_network_the_first_layers_are_kept(settings) -> None:
    settings.DESCRIBED_LAYERS_MAX = 10
    variant, store = graph_of(chain(25))
    assert rows(store, COUNTS) == [["10", "120"]]
    assert variant.description["layer_count"] == 25
    assert store.ask("ASK { ?v <https://w3id.org/tinyfleet/ontology#layerCount> 25 }")
    assert sorted(rows(store, ENDS)) == [["inputLayer", "1"], ["middleLayer", "9"]]


def test_a_variant_without_a_kept_description_has_no_layers() -> None:
    variant = import_network("net", Registration("as-it-came"), dense())
    Variant.objects.filter(pk=variant.pk).update(description={})
    triples = project(SubjectKind.VARIANT, [str(variant.pk)], BareBoard(0.5, 0.5))
    stated = triples[str(variant.pk)] or []
    assert stated
    assert not any("#layer-" in str(triple) for triple in stated)


@pytest.mark.parametrize("name", ["ARM_DS_CNN_Small_", "Person_Detection", "Magic_Wand_1"])
def test_layers_of_published_networks_add_up(data_dir: Path, name: str) -> None:
    variant, store = graph_of((data_dir / f"ren/models/{name}.tflite").read_bytes())
    described = variant.description
    counts = sum(use["count"] for use in described["operators"])
    assert rows(store, COUNTS) == [[str(counts), str(described["macs"])]]


def test_layers_of_an_onnx_file_stand_there_too(data_dir: Path) -> None:
    (path, *_) = sorted(data_dir.glob("magic-wand/**/*.onnx"))
    variant, store = graph_of(path.read_bytes())
    described = variant.description
    assert rows(store, COUNTS) == [[str(described["layer_count"]), str(described["macs"])]]
