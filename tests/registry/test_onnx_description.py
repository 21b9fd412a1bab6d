"""What a .onnx file needs: MACs, parameters, quantization, and no arena."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import TensorProto
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ontology.facts import Metric
from registry.footprint.description import describe
from registry.footprint.figures import derived_figures
from tests.registry.onnx_files import file, info, node
from tests.registry.torch_exports import exported


def test_the_same_network_counts_the_same_in_both_formats(data_dir):
    onnx, tflite, quantized = (
        describe((data_dir / "magic-wand" / name).read_bytes())
        for name in ("model.onnx", "model.tflite", "quantized_model.tflite")
    )
    assert onnx.macs == tflite.macs == quantized.macs
    assert onnx.parameters == tflite.parameters == quantized.parameters
    assert onnx.as_json().keys() == tflite.as_json().keys()
    assert onnx.flash_bytes == onnx.file_bytes


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (nn.Conv2d(3, 8, 3, stride=2, padding=1), (1, 3, 17, 16)),
        (nn.Conv2d(8, 16, (5, 3), groups=8, dilation=2), (1, 8, 20, 20)),
        (nn.Conv1d(6, 32, 5, padding=2), (1, 6, 119)),
        (nn.Conv3d(2, 4, 3), (1, 2, 7, 8, 9)),
        (nn.ConvTranspose2d(8, 4, 3, 2, 1, 1, groups=2), (1, 8, 9, 8)),
        (nn.Linear(64, 10), (1, 64)),
        (nn.Linear(6, 16), (1, 20, 6)),
        (
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)),
            (1, 1, 8, 8),
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_macs_and_parameters_are_those_that_torch_counts(network, shape):
    """torch's own counter has two operations for one multiply-accumulate."""
    described = describe(exported(network, shape))
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(shape))
    assert described.macs == counter.get_total_flops() // 2
    assert described.parameters == sum(weights.numel() for weights in network.parameters())


def test_recurrent_layers_multiply_all_weights_at_each_step():
    network = nn.LSTM(6, 10, batch_first=True, bidirectional=True)
    described = describe(exported(network, (1, 20, 6)))
    assert described.macs == 20 * 2 * 4 * 10 * (6 + 10)
    assert described.parameters == sum(weights.numel() for weights in network.parameters())


def _quantized(first: str) -> bytes:
    """A fully connected layer from 8 to 2, quantized in one of four ways."""
    weights = {"w": np.ones((8, 2), np.int8), "ws": np.array([0.5, 0.25], "f")}
    zero = {"s": np.float32(0.1), "z": np.uint8(7), "wz": np.zeros(2, np.int8)}
    turned = node("DequantizeLinear", "w ws wz", "d", axis=1)
    nodes = {
        "QDQ": [
            node("QuantizeLinear", "x s z", "q"),
            node("DequantizeLinear", "q s z", "r"),
            turned,
            node("MatMul", "r d", "y"),
        ],
        "QOperator": [
            node("QuantizeLinear", "x s z", "q"),
            node("QLinearMatMul", "q s z w ws wz s z", "y"),
        ],
        "dynamic": [
            node("DynamicQuantizeLinear", "x", "q qs qz"),
            node("MatMulInteger", "q w qz wz", "y"),
        ],
        "weights": [turned, node("MatMul", "x d", "y")],
    }[first]
    return file(nodes, [info("x", [1, 8])], [info("y", None)], {**weights, **zero})


@pytest.mark.parametrize(
    ("way", "scheme", "form", "activations", "per_channel"),
    [
        ("QDQ", "static", "QDQ", ["UINT8"], True),
        ("QOperator", "static", "QOperator", ["UINT8"], True),
        ("dynamic", "dynamic", None, ["UINT8"], False),
        ("weights", "weights", "QDQ", ["FLOAT32"], True),
    ],
)
def test_each_way_of_quantizing_is_told(way, scheme, form, activations, per_channel):
    described = describe(_quantized(way))
    assert described.as_json()["quantization"] == {
        "scheme": scheme,
        "form": form,
        "weights": ["INT8"],
        "activations": activations,
        "per_channel": per_channel,
    }
    assert (described.macs, described.parameters) == (16, 16)


def test_the_quantization_of_tflite_files_is_told_too(data_dir):
    read = {
        name: describe((data_dir / "magic-wand" / name).read_bytes()).quantization.scheme.value
        for name in ("model.tflite", "quantized_model.tflite")
    }
    assert read == {"model.tflite": "none", "quantized_model.tflite": "static"}


def test_its_memory_is_not_known_and_no_figure_says_it_is(data_dir):
    described = describe((data_dir / "magic-wand/model.onnx").read_bytes())
    assert described.arena_bytes is None
    assert "does not run .onnx files" in described.arena.unknown[0]
    assert {figure.metric for figure in derived_figures(described)} == {
        Metric.FLASH_BYTES,
        Metric.MACS,
    }


def test_what_is_alive_at_once_is_told_beside_it():
    """Three tensors of 64 bytes: input and first result, then both results, then last two."""
    nodes = [node("Relu", "x", "a"), node("Add", "x a", "b"), node("Neg", "b", "y")]
    described = describe(file(nodes, [info("x", [1, 16])], [info("y", None)]))
    assert described.arena.memory_timeline == (128, 192, 128)
    assert described.peak_activation_bytes == 192


@pytest.mark.parametrize(
    ("nodes", "shape", "reason"),
    [
        ([node("Conv", "x w", "y")], [1, 1, "height", 8], "the shapes around Conv are not known"),
        ([node("Gemm", "u w", "y")], [1, 1, 8, 8], "the shapes around Gemm are not known"),
        ([node("FlexAttention", "x x x", "y")], [1, 1, 8, 8], "how often FlexAttention"),
        ([node("Hm", "x", "y", domain="com.microsoft")], [1], "how often com.microsoft.Hm"),
    ],
)
def test_macs_that_do_not_follow_from_the_file_are_not_known(nodes, shape, reason):
    held = {"w": np.ones((1, 1, 3, 3), "f")}
    inputs = [info("x", shape), info("u", None)]
    described = describe(file(nodes, inputs, [info("y", None)], held))
    assert described.macs is None
    assert reason in described.mac_count.unknown[0]
    assert Metric.MACS not in {figure.metric for figure in derived_figures(described)}
    assert described.as_json()["layers"][0]["macs"] is None


def test_a_tensor_without_a_type_leaves_the_types_unknown():
    untyped = info("y", None)
    untyped.type.tensor_type.elem_type = TensorProto.UNDEFINED
    data = file([node("Hm", "x", "y", domain="org.example")], [info("x", [1])], [untyped])
    assert describe(data).known_dtypes is None
