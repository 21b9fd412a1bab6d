"""MACs and parameters of layers that can be counted by hand, and of a published network."""

from __future__ import annotations

from registry.footprint.macs import count_macs, network_parameters
from registry.footprint.training import online_layer_bytes
from registry.formats.tflite import parse
from tests.registry.tiny_networks import dense, tensor, write

INT8_CONV, DEPTHWISE, MATMUL = 3, 4, 126


def _layer(code: int, shapes: list[tuple[int, ...]], output: tuple[int, ...], **fields) -> bytes:
    weights = [n for n in range(1, len(shapes)) if code != MATMUL]
    buffers = [{}, *({"data": bytes(_count(shapes[n]))} for n in weights)]
    tensors = [tensor("in", shapes[0])]
    tensors += [
        tensor("w", s, buffer=weights.index(n) + 1 if n in weights else 0)
        for n, s in enumerate(shapes[1:], 1)
    ]
    tensors.append(tensor("out", output))
    inputs = tuple(range(len(shapes)))
    operator = {"inputs": inputs, "outputs": (len(shapes),), **fields}
    graph = {"tensors": tensors, "inputs": (0,), "outputs": (len(shapes),), "operators": [operator]}
    codes = [{"builtin_code": code}]
    return write({"version": 3, "operator_codes": codes, "buffers": buffers, "subgraphs": [graph]})


def _count(shape: tuple[int, ...]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def test_a_fully_connected_layer():
    network = parse(dense(64, 10))
    assert count_macs(network).macs == 640
    assert network_parameters(network) == 650


def test_a_convolution():
    network = parse(_layer(INT8_CONV, [(1, 8, 8, 3), (16, 3, 3, 3)], (1, 6, 6, 16)))
    assert count_macs(network).macs == 6 * 6 * 16 * 27
    assert network_parameters(network) == 16 * 27


def test_a_depthwise_convolution_with_a_multiplier():
    network = parse(_layer(DEPTHWISE, [(1, 8, 8, 2), (1, 3, 3, 8)], (1, 8, 8, 8)))
    assert count_macs(network).macs == 8 * 8 * 8 * 9


def test_a_matrix_product_follows_its_transposition():
    plain = _layer(MATMUL, [(2, 5, 7), (2, 7, 3)], (2, 5, 3))
    options = {"builtin_options_type": 101, "builtin_options": {"adjoint_x": True}}
    turned = _layer(MATMUL, [(2, 7, 5), (2, 7, 3)], (2, 5, 3), **options)
    assert count_macs(parse(plain)).macs == count_macs(parse(turned)).macs == 2 * 5 * 3 * 7


def test_a_published_network(data_dir):
    """Person detection is a MobileNet of width 0.25 on 96 x 96 grey pixels with two classes.

    Howard et al., "MobileNets", 2017, table 1, with a quarter of the channels.
    """
    side, depth, expected = 48, 8, 48 * 48 * 8 * 9
    for stride, filters in [(1, 16), (2, 32), (1, 32), (2, 64), (1, 64), (2, 128)]:
        side, expected = side // stride, expected + _block(side // stride, depth, filters)
        depth = filters
    for stride, filters in [(1, 128)] * 5 + [(2, 256), (1, 256)]:
        side, expected = side // stride, expected + _block(side // stride, depth, filters)
        depth = filters
    data = (data_dir / "tflite-micro/person_detect.tflite").read_bytes()
    assert count_macs(parse(data)).macs == expected + 256 * 2


def _block(side: int, depth: int, filters: int) -> int:
    return side * side * depth * (9 + filters)


def test_an_online_layer_holds_weights_statistics_and_the_sample_in_hand():
    assert online_layer_bytes(64, 10) == 4 * (64 * 10 + 10 + 64 + 2 + 64 + 10)
