"""An ONNX network in the graph: its layers as of any other, and nothing of what is not known."""

from __future__ import annotations

import numpy as np
import pytest

from ontology.store import MemoryStore
from registry.projection.techniques import known_of
from registry.services.graph_sync import drain
from registry.services.networks import Registration, import_network
from tests.registry.onnx_files import file, info, node

pytestmark = pytest.mark.django_db

LAYERS = """
PREFIX tf: <https://w3id.org/tinyfleet/ontology#>
PREFIX nnet: <https://w3id.org/tinyml-schema/neural-network-schema#>
SELECT ?operator ?macs ?shape ?scale WHERE {
  ?variant tf:hasLayer ?layer . ?layer tf:operatorName ?operator ; nnet:hasIndex ?index .
  OPTIONAL { ?layer nnet:hasMultiplyAccumulateOps ?macs }
  OPTIONAL { ?layer nnet:shapeOut ?shape }
  OPTIONAL { ?layer tf:writes/tf:scale ?scale }
} ORDER BY ?index
"""


def layers(data: bytes) -> list[tuple[str, ...]]:
    import_network("net", Registration("as-it-came"), data)
    store = MemoryStore()
    drain(store)
    names = ("operator", "macs", "shape", "scale")
    return [
        tuple(row[name].value if name in row else "" for name in names)
        for row in store.select(LAYERS)
    ]


def quantized(shape: list[int | str]) -> bytes:
    held = {"s": np.float32(0.5), "z": np.uint8(3), "w": np.ones((2, 1, 3, 3), "f")}
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("DequantizeLinear", "q s z", "d"),
        node("Conv", "d w", "y"),
    ]
    return file(nodes, [info("x", shape)], [info("y", None)], held)


def test_layers_tensors_and_scales_are_there():
    assert layers(quantized(["n", 1, 8, 8])) == [
        ("QuantizeLinear", "0", "1x1x8x8", "0.5"),
        ("DequantizeLinear", "0", "1x1x8x8", ""),
        ("Conv", str(2 * 36 * 9), "1x2x6x6", ""),
    ]


def test_what_hangs_on_an_open_length_is_left_out():
    assert layers(quantized(["n", 1, "height", 8]))[2] == ("Conv", "", "", "")


@pytest.mark.parametrize("name", ['[/b] <a> "x" {y}|^`\\', "\u202e\U0001f600", "a\nb", "%41#?"])
def test_any_name_of_an_operator_is_text_in_the_graph(name):
    """What a file calls its operators may spoil no address and stop no other change."""
    data = file([node(name, "x", "y")], [info("x", [1])], [info("y", [1])])
    assert [row[0] for row in layers(data)] == [name]


@pytest.mark.parametrize(
    ("shape", "sides"),
    [([1, 1, 8, 8], 2), ([1, 3, 8, 8], 2), ([1, 6, 119], 1), ([1, 64], 1), ([1, 1, "h", 8], None)],
)
def test_channels_stand_behind_the_batch(shape, sides):
    """A grey image has two sides, whichever axis its one channel is."""
    data = file([node("Relu", "x", "y")], [info("x", shape)], [info("y", None)])
    variant = import_network("net", Registration("as-it-came"), data)
    assert known_of(variant)["input_sides"] == sides
