"""Reading .onnx files: names, order, inputs, constants, subgraphs, quantization."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from registry.formats.model_file import read_network
from registry.formats.network import FileFormat, Quantization
from tests.registry.onnx_files import FLOAT, dense, file, graph, info, model, node


def tensors(data: bytes):
    return {tensor.name: tensor for tensor in read_network(data).tensors}


def test_a_real_network(data_dir):
    path = data_dir / "magic-wand/model.onnx"
    network = read_network(path.read_bytes())
    assert network.file_format is FileFormat.ONNX
    assert network.schema_version == onnx.load(path).ir_version
    assert network.operator_versions == dict.fromkeys(
        ("Conv", "Flatten", "Gemm", "MaxPool", "Relu", "Softmax"), 11
    )
    assert [(t.name, t.shape, t.dtype) for t in network.inputs] == [
        ("input", (1, 6, 119), "FLOAT32")
    ]
    assert [(t.name, t.shape) for t in network.outputs] == [("output_softmax", (1, 5))]
    assert all(tensor.is_sized for tensor in network.tensors)


def test_an_open_batch_is_one_and_other_open_lengths_stay_open():
    found = tensors(
        file(
            [node("Relu", "x", "y"), node("Relu", "z", "u")],
            [info("x", ["N", 3, "height", None]), info("z", [3, "samples_batch"])],
            [info("y", None), info("u", None)],
        )
    )
    assert found["y"].shape == (1, 3, -1, -1)
    assert (found["y"].is_sized, found["y"].size_bytes) == (False, None)
    assert found["u"].shape == (3, 1)


def test_a_constant_is_no_input_even_if_the_graph_lists_it():
    held = {"w": np.ones((4, 2), np.float32)}
    data = file([node("MatMul", "x w", "y")], [info("x", [1, 4]), info("w", [4, 2])], (), held)
    network = read_network(data)
    assert [tensor.name for tensor in network.inputs] == ["x"]
    assert tensors(data)["w"].is_constant


def test_nodes_come_into_an_order_in_which_they_run():
    nodes = [node("Relu", "b", "c"), node("Relu", "a", "b"), node("Sigmoid", "x", "a")]
    network = read_network(file(nodes, [info("x", [1, 2])], [info("c", [1, 2])]))
    assert [operator.name for operator in network.operators] == ["Sigmoid", "Relu", "Relu"]
    assert network.outputs[0].shape == (1, 2)


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (np.array([1.5, -2], np.float32), "FLOAT32"),
        (np.array([1.5, -2], np.float16), "FLOAT16"),
        (np.array([1.5, -2], np.float64), "FLOAT64"),
        (np.array([-1, 2], np.int8), "INT8"),
        (np.array([-1, 2], np.int16), "INT16"),
        (np.array([-1, 2], np.int32), "INT32"),
        (np.array([-1, 2], np.int64), "INT64"),
        (np.array([1, 2], np.uint8), "UINT8"),
        (np.array([1, 2], np.uint32), "UINT32"),
        (np.array([1, 2], np.uint64), "UINT64"),
        (np.array([True, False]), "BOOL"),
    ],
)
def test_contents_are_the_same_raw_and_in_their_own_field(array, code):
    dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
    typed = helper.make_tensor("c", dtype, array.shape, array.flatten().tolist())
    raw = helper.make_tensor("c", dtype, array.shape, array.tobytes(), raw=True)
    for held in (typed, raw):
        made = model([node("Identity", "c", "y")], [], [info("y", [2], dtype)])
        made.graph.initializer.append(held)
        found = tensors(made.SerializeToString())["c"]
        assert (found.dtype, found.shape, bytes(found.data)) == (code, (2,), array.tobytes())


def test_branches_are_subgraphs_that_see_what_is_around_them():
    held = {"w": np.ones((4, 2), np.float32)}
    then = graph([node("MatMul", "x w", "t")], [], [info("t", None)])
    other = graph([node("ReduceMean", "x", "m", axes=[1]), node("Expand", "m s", "o")], [], [])
    other.output.append(info("o", None))
    data = file(
        [node("If", "c", "y", then_branch=then, else_branch=other)],
        [info("x", [1, 4]), info("c", [], TensorProto.BOOL)],
        [info("y", None)],
        {**held, "s": np.array([1, 2])},
    )
    network = read_network(data)
    assert network.outputs[0].shape == (1, 2)
    options = network.operators[0].options
    first, second = (network.subgraphs[options[f"{n}_subgraph"]] for n in ("then", "else"))
    assert [operator.name for operator in first.operators] == ["MatMul"]
    assert [operator.name for operator in second.operators] == ["ReduceMean", "Expand"]
    assert first.tensor(first.operators[0].inputs[1]).is_constant


def test_a_loop_keeps_the_shape_that_it_carries_and_stacks_the_rest():
    body = graph(
        [node("Identity", "go", "on"), node("Add", "s x", "t"), node("Identity", "t", "row")],
        [info("i", [], TensorProto.INT64), info("go", [], TensorProto.BOOL), info("s", None)],
        [info("on", None, TensorProto.BOOL), info("t", None), info("row", None)],
    )
    data = file(
        [node("Loop", "n _ x", "last rows", body=body)],
        [info("x", [1, 4])],
        [info("last", None), info("rows", None)],
        {"n": np.array(5)},
    )
    assert [tensor.shape for tensor in read_network(data).outputs] == [(1, 4), (5, 1, 4)]


def test_operators_of_other_domains_bear_their_domain_and_its_version():
    foreign = helper.make_node("Whisper", ["x"], ["y"], domain="org.example")
    made = model([foreign], [info("x", [1, 4])], [info("y", None)])
    made.opset_import.append(helper.make_opsetid("org.example", 7))
    network = read_network(made.SerializeToString())
    assert network.operator_versions == {"org.example.Whisper": 7}
    assert (network.outputs[0].dtype, network.outputs[0].is_sized) == ("FLOAT32", False)


def test_pairs_around_a_convolution_say_what_its_numbers_stand_for():
    held = {
        "scale": np.float32(0.5),
        "zero": np.uint8(128),
        "w": np.ones((2, 1, 3, 3), np.int8),
        "scales": np.array([0.1, 0.2], np.float32),
        "zeros": np.zeros(2, np.int8),
    }
    nodes = [
        node("QuantizeLinear", "x scale zero", "q"),
        node("DequantizeLinear", "q scale zero", "d"),
        node("DequantizeLinear", "w scales zeros", "wd", axis=0),
        node("Conv", "d wd", "y"),
    ]
    found = tensors(file(nodes, [info("x", [1, 1, 8, 8])], [info("y", None)], held))
    assert found["q"].quantization == Quantization((0.5,), (128,), 0)
    assert found["w"].quantization == Quantization(
        tuple(map(float, np.array([0.1, 0.2], np.float32))), (0, 0), 0
    )
    assert (found["q"].dtype, found["d"].dtype, found["y"].shape) == (
        "UINT8",
        "FLOAT32",
        (1, 2, 6, 6),
    )


def test_a_quantized_operator_says_it_itself():
    held = {
        **{name: np.float32(0.5) for name in ("xs", "ys")},
        **{name: np.int8(3) for name in ("xz", "yz")},
        "w": np.ones((4, 2), np.int8),
        "ws": np.array([0.25, 0.5], np.float32),
        "wz": np.zeros(2, np.int8),
    }
    nodes = [node("QLinearMatMul", "x xs xz w ws wz ys yz", "y")]
    found = tensors(file(nodes, [info("x", [1, 4], TensorProto.INT8)], [info("y", None)], held))
    assert found["x"].quantization == found["y"].quantization == Quantization((0.5,), (3,), 0)
    assert found["w"].quantization == Quantization((0.25, 0.5), (0, 0), 1)
    assert (found["y"].dtype, found["y"].shape) == ("INT8", (1, 2))


def test_a_constant_in_another_file_is_refused_with_a_way_out():
    made = model([node("MatMul", "x w", "y")], [info("x", [1, 4])], [info("y", [1, 2])])
    held = TensorProto(name="w", dims=(4, 2), data_type=FLOAT)
    held.data_location = TensorProto.EXTERNAL
    held.external_data.add(key="location", value="../../etc/passwd")
    made.graph.initializer.append(held)
    with pytest.raises(ValueError, match=r"'w' lie in another file .*or save it as one file"):
        read_network(made.SerializeToString())


def test_the_kind_of_file_is_told_by_its_contents(data_dir):
    assert read_network(dense()).file_format is FileFormat.ONNX
    tflite = (data_dir / "magic-wand/model.tflite").read_bytes()
    assert read_network(tflite).file_format is FileFormat.TFLITE
    for data, kind in ((b"PK\x03\x04torch", "a ZIP archive"), (b"\x89HDF\r\n", "an HDF5 file")):
        with pytest.raises(ValueError, match=rf"does not begin as an ONNX model; it is {kind}"):
            read_network(data)
