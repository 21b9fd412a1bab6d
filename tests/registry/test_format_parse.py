"""What parse() reads from a file, held against what LiteRT reads from it."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from registry.formats.tflite import FormatError, parse
from tests.registry.measured import all_models
from tests.registry.tiny_networks import FULLY_CONNECTED, custom, dense, dense_tree, write


def test_a_layer_with_its_options_and_quantization():
    network = parse(dense(features=4, classes=3))
    (operator,) = network.operators
    assert (operator.name, operator.version) == ("FULLY_CONNECTED", 4)
    assert (operator.inputs, operator.outputs) == ((0, 1, 2), (3,))
    assert operator.integer("activation") == 1
    assert operator.options["keep_dims"] == 0, "a field that is left out has its default"
    source, weights = network.inputs[0], network.tensors[1]
    assert (source.name, source.shape, source.dtype) == ("the_input", (1, 4), "INT8")
    assert source.quantization is not None
    assert (source.quantization.scales, source.quantization.zero_points) == ((0.125,), (0,))
    assert not source.is_constant
    assert (weights.buffer_bytes, weights.size_bytes) == (12, 12)
    assert network.schema_version == 3
    assert network.description == "made for a test"
    assert bytes(network.metadata["min_runtime_version"]) == b"1.14.0"
    assert network.operator_versions == {"FULLY_CONNECTED": 4}
    assert network.dtypes == {"INT8", "INT32"}


def test_a_custom_operator_is_named():
    network = parse(custom("Whisper"))
    assert network.operators[0].name == "CUSTOM:Whisper"
    assert network.operator_versions.keys() == {"CUSTOM:Whisper"}


def test_a_name_that_is_no_text_is_shown_with_replacements():
    network = parse(custom("a\0b\udcff"))
    assert network.operators[0].name == "CUSTOM:a�b�"


def test_an_operator_newer_than_the_schema_keeps_its_number():
    tree = dense_tree()
    tree["operator_codes"] = [{"deprecated_builtin_code": 127, "builtin_code": 4000}]
    assert parse(write(tree)).operators[0].name == "BUILTIN:4000"


def test_the_old_and_the_new_operator_code_field_mean_the_same():
    for fields in ({"deprecated_builtin_code": FULLY_CONNECTED}, {"builtin_code": FULLY_CONNECTED}):
        tree = dense_tree()
        tree["operator_codes"] = [fields]
        assert parse(write(tree)).operators[0].name == "FULLY_CONNECTED"


def test_contents_behind_the_flatbuffer_are_read():
    tree = dense_tree()
    weights = tree["buffers"][1]["data"]
    tree["buffers"][1] = {"offset": 2**40, "size": len(weights)}
    size = len(write(tree))
    tree["buffers"][1]["offset"] = size
    network = parse(write(tree) + weights)
    assert network.tensors[1].data == weights


def test_the_size_limit_names_both_sizes():
    data = dense()
    assert parse(data, max_bytes=len(data)).size_bytes == len(data)
    with pytest.raises(FormatError, match=f"{len(data)} bytes, more than the {len(data) - 1}"):
        parse(data, max_bytes=len(data) - 1)


def test_every_network_reads_as_litert_reads_it(data_dir):
    for path in all_models(data_dir):
        data = path.read_bytes()
        network = parse(data)
        try:
            interpreter = Interpreter(model_content=data)
        except ValueError:
            continue  # LiteRT refuses the quantization that one of them declares
        for detail in interpreter.get_tensor_details():
            if detail["index"] >= len(network.tensors):
                continue  # a delegate's own
            tensor = network.tensors[detail["index"]]
            assert tensor.name == detail["name"]
            assert tensor.shape == tuple(detail["shape"])
            assert tensor.dtype.lower() == np.dtype(detail["dtype"]).name
            scales = tensor.quantization.scales if tensor.quantization else ()
            np.testing.assert_allclose(detail["quantization_parameters"]["scales"], scales)
        inputs = [detail["index"] for detail in interpreter.get_input_details()]
        assert [tensor.index for tensor in network.inputs] == inputs
