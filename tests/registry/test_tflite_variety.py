"""Files that converters write and that no sample folder has: every operator, several functions,
open shapes, sparse tensors, contents that lie elsewhere."""

from __future__ import annotations

import pytest
from tflite.BuiltinOperator import BuiltinOperator
from tflite.TensorType import TensorType

from registry.footprint.description import describe
from registry.formats.errors import FormatError
from registry.formats.model_file import read_network
from registry.formats.network import DTYPE_BITS
from tests.registry.tiny_networks import INT8, dense_tree, tensor, write

_CUSTOM, CALL_ONCE = 32, 129


def _numbers(enumeration: type) -> dict[int, str]:
    named = {n: v for n, v in vars(enumeration).items() if isinstance(v, int) and n[0] != "_"}
    return {value: name for name, value in named.items()}


@pytest.mark.parametrize("number", sorted(_numbers(BuiltinOperator)))
def test_every_operator_of_the_schema_is_read_and_described(number):
    tree = dense_tree()
    tree["operator_codes"] = [{"builtin_code": number, "deprecated_builtin_code": min(number, 127)}]
    operator = tree["subgraphs"][0]["operators"][0]
    del operator["builtin_options"], operator["builtin_options_type"]
    name = "CUSTOM:" if number == _CUSTOM else _numbers(BuiltinOperator)[number]
    described = describe(write(tree))
    assert [use.name for use in described.operators] == [name]
    assert (described.macs is None) == bool(described.mac_count.unknown)
    described.as_json()


@pytest.mark.parametrize("number", sorted(_numbers(TensorType)))
def test_every_tensor_type_of_the_schema_is_read(number):
    tree = dense_tree()
    tree["subgraphs"][0]["tensors"][0] = tensor("x", (1, 4), number)
    found = read_network(write(tree)).inputs[0]
    assert found.dtype == _numbers(TensorType)[number]
    assert (found.size_bytes is None) == (found.dtype not in DTYPE_BITS)


def test_an_open_batch_is_read_as_the_file_says_it_beside_its_signature():
    """Converters write 1 into the shape and -1 into the signature."""
    tree = dense_tree()
    tree["subgraphs"][0]["tensors"][0] |= {"shape_signature": (-1, 4)}
    assert read_network(write(tree)).inputs[0].shape == (1, 4)


def test_functions_of_several_signatures_are_read_and_only_the_first_runs():
    tree = dense_tree()
    tree["subgraphs"].append({**tree["subgraphs"][0], "name": "train"})
    tree["signature_defs"].append({"signature_key": "train", "subgraph_index": 1})
    network = read_network(write(tree))
    assert [graph.name for graph in network.subgraphs] == ["main", "train"]
    assert describe(write(tree)).macs == describe(write(dense_tree())).macs


def test_a_function_that_the_first_one_calls_runs_with_it():
    tree = dense_tree()
    graph = tree["subgraphs"][0]
    tree["subgraphs"].append({**graph, "operators": list(graph["operators"])})
    tree["operator_codes"].append({"deprecated_builtin_code": 127, "builtin_code": CALL_ONCE})
    once = {"builtin_options_type": 103, "builtin_options": {"subgraph": 1}}
    graph["operators"].append({"opcode_index": 1, "inputs": (), "outputs": (), **once})
    assert describe(write(tree)).macs == 2 * describe(write(dense_tree())).macs


def test_a_sparse_tensor_holds_fewer_bytes_than_its_shape():
    tree = dense_tree()
    tree["buffers"][1] = {"data": b"\x01\x02"}
    tree["subgraphs"][0]["tensors"][1]["sparsity"] = {
        "traversal_order": (0, 1),
        "dim_metadata": [
            {"format": 0, "dense_size": 3},
            {
                "format": 1,
                "array_segments_type": 1,
                "array_segments": {"values": (0, 1, 2, 2)},
                "array_indices_type": 1,
                "array_indices": {"values": (0, 3)},
            },
        ],
    }
    weights = read_network(write(tree)).tensors[1]
    assert (weights.is_sparse, weights.elements, weights.buffer_bytes) == (True, 12, 2)
    describe(write(tree)).as_json()


@pytest.mark.parametrize(
    ("buffer", "what"),
    [
        ({"offset": 2**31 + 16, "size": 12}, "an offset reaches byte 2147483676"),
        ({"offset": 2**63, "size": 2**63}, "an offset reaches byte 18446744073709551616"),
        ({"offset": 2**64 - 1, "size": 2**64 - 1}, "an offset reaches byte"),
    ],
)
def test_contents_beyond_the_file_are_refused(buffer, what):
    tree = dense_tree()
    tree["buffers"][1] = buffer
    with pytest.raises(FormatError, match=what) as caught:
        read_network(write(tree))
    assert caught.value.where == "buffers[1]"


def test_contents_in_another_file_are_refused():
    tree = dense_tree()
    tree["external_buffers"] = [{"id": 1, "offset": 2**33, "length": 12}]
    tree["subgraphs"][0]["tensors"][1] |= {"external_buffer": 1, "type": INT8}
    with pytest.raises(FormatError, match="its contents lie in another file"):
        read_network(write(tree))


def test_weights_that_are_read_through_another_form_count():
    """Half-precision weights stand before a DEQUANTIZE, from which the layer reads them."""
    tree = dense_tree(features=4, classes=3)
    graph = tree["subgraphs"][0]
    tree["operator_codes"].append({"deprecated_builtin_code": 6, "builtin_code": 6})
    tree["buffers"][1] = {"data": bytes(24)}
    graph["tensors"][1] = {"name": "half", "shape": (3, 4), "type": 1, "buffer": 1}
    graph["tensors"].append({"name": "whole", "shape": (3, 4), "type": 0, "buffer": 0})
    graph["operators"][0]["inputs"] = (0, 4, 2)
    graph["operators"].insert(0, {"opcode_index": 1, "inputs": (1,), "outputs": (4,)})
    described = describe(write(tree))
    assert (described.macs, described.parameters) == (12, 15)
    assert described.quantization.weights == ("FLOAT16",)
