"""Competency questions about networks: what is in them, what is known of them."""

import pytest

from ontology.namespaces import subject_iri
from ontology.store import MemoryStore
from registry.services.graph_sync import drain
from registry.services.networks import Registration, import_network
from tests.registry.asking import answers, variant
from tests.registry.graph_world import make_world
from tests.registry.tiny_networks import dense, dense_tree, tensor, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return make_world()


def projected():
    """The graph of the inventory as it is now."""
    store = MemoryStore()
    drain(store)
    return store


def two_layers():
    """A layer of 4 x 3 weights, then one of 3 x 2."""
    tree = dense_tree(4, 3)
    tree["buffers"].append({"data": bytes(6)})
    subgraph = tree["subgraphs"][0]
    weights = tensor("more", (2, 3), buffer=4)
    weights["quantization"] = {"scale": (0.5, 0.25), "zero_point": (0, 0)}
    subgraph["tensors"] += [weights, tensor("answer", (1, 2))]
    first = subgraph["operators"][0]
    subgraph["operators"] = [first, {**first, "inputs": (3, 4), "outputs": (5,)}]
    subgraph["outputs"] = (5,)
    return write(tree)


def test_which_layers_compute_the_most():
    row = import_network("net", Registration("as-it-came"), two_layers())
    store = projected()
    assert answers(store, "costliest-layers", variant=variant(row)) == [
        {"place": 1, "operator": "FULLY_CONNECTED", "macs": 12, "shapeOut": "1x3"},
        {"place": 2, "operator": "FULLY_CONNECTED", "macs": 6, "shapeOut": "1x2"},
    ]


def test_how_many_bytes_of_weights_are_in_which_type():
    row = import_network("net", Registration("as-it-came"), two_layers())
    store = projected()
    assert answers(store, "weight-bytes", variant=variant(row)) == [
        {"dtype": "int32", "quantized": "one scale", "bytes": 12, "tensors": 1},
        {"dtype": "int8", "quantized": "one scale", "bytes": 12, "tensors": 1},
        {"dtype": "int8", "quantized": "a scale a channel", "bytes": 6, "tensors": 1},
    ]


def test_how_the_variants_of_a_release_compare(world):
    store = projected()
    rows = answers(store, "release-comparison", release=subject_iri("release", "words/1"))
    assert [(r["name"], r["flashBytes"], r["accuracy"], r["devices"]) for r in rows] == [
        ("words/1/small", 10_000, 0.91, 0),
        ("words/1/large", 90_000, 0.97, 2),
    ]


def test_multiply_accumulates_are_compared_where_they_are_known():
    import_network("net", Registration("as-it-came"), dense(4, 3))
    store = projected()
    (row,) = answers(store, "release-comparison", release=subject_iri("release", "net/1"))
    assert row["macs"] == 12
    assert "accuracy" not in row


def test_which_variants_were_never_measured(world):
    store = projected()
    rows = answers(store, "unmeasured")
    assert [(row["name"], row["installed"]) for row in rows] == [("words/1/large", 1)]
    world.large.measurements.create(
        device=world.kitchen, runtime=world.runtime, metric="arena_bytes", value=51_000.0,
        unit="B", status="measured", source="telemetry",
    )  # fmt: skip
    store = projected()
    assert answers(store, "unmeasured") == []
