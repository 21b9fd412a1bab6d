"""Patch-based inference: the published figures, and what holds of every chain of layers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.footprint.macs import operator_macs
from registry.footprint.map_layers import MapChain, MapLayer, map_chain
from registry.footprint.patch import cheapest_within, schedule, schedules, without_patches
from registry.formats.model_file import read_network
from tests.registry.tiny_networks import dense

KB = 1024
# Expansion, channels, repeats and stride of each group of blocks: Sandler et al., "MobileNetV2:
# Inverted Residuals and Linear Bottlenecks" (2018), table 2.
MOBILENET_V2 = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]
FIRST_CONVOLUTION_AND_FOUR_BLOCKS = 1 + 2 + 3 * 3


def square(ins: int, outs: int, kernel: int, stride: int, side: int, groups: int = 1) -> MapLayer:
    after = -(-side // stride)
    sizes = {"kernel": (kernel, kernel), "stride": (stride, stride)}
    return MapLayer(ins, outs, groups, **sizes, in_size=(side, side), out_size=(after, after))


def block(ins: int, outs: int, expansion: int, stride: int, side: int) -> list[MapLayer]:
    """An inverted residual block: expand, depthwise, project."""
    inside = ins * expansion
    expand = [square(ins, inside, 1, 1, side)] if expansion > 1 else []
    depthwise = square(inside, inside, 3, stride, side, groups=inside)
    return [*expand, depthwise, square(inside, outs, 1, 1, depthwise.out_size[0])]


def mobilenet_v2(side: int) -> MapChain:
    layers, residuals = [square(3, 32, 3, 2, side)], []
    for expansion, channels, repeats, first_stride in MOBILENET_V2:
        for number in range(repeats):
            before, stride = layers[-1], first_stride if number == 0 else 1
            added = block(before.out_channels, channels, expansion, stride, before.out_size[0])
            if stride == 1 and before.out_channels == channels:
                residuals.append((len(layers), len(layers) + len(added) - 1))
            layers += added
    layers.append(square(320, 1280, 1, 1, layers[-1].out_size[0]))
    return MapChain(tuple(layers), tuple(residuals))


def test_the_published_schedule_of_mobilenet_v2():
    chain = mobilenet_v2(224)
    assert without_patches(chain).peak_bytes == 1372 * KB
    found = schedule(chain, FIRST_CONVOLUTION_AND_FOUR_BLOCKS, (4, 4))
    assert found.patch == (75, 75)
    assert round(found.peak_bytes / KB) == 172
    assert round(found.stage_overhead, 2) == 0.42


def test_the_cheapest_schedule_that_fits():
    chain = mobilenet_v2(224)
    roomy = cheapest_within(chain, 1372 * KB)
    assert roomy == without_patches(chain)
    tight = cheapest_within(chain, 172 * KB)
    assert tight is not None
    assert tight.peak_bytes <= 172 * KB
    cheaper = [s for s in schedules(chain) if s.extra_macs < tight.extra_macs]
    assert all(each.peak_bytes > 172 * KB for each in cheaper)
    assert cheapest_within(chain, 16 * KB) is None


def test_a_stage_ends_between_blocks():
    chain = mobilenet_v2(96)
    first, last = chain.residuals[0]
    assert schedule(chain, last + 1, (2, 2)).layers == last + 1
    with pytest.raises(ValueError, match="between two blocks"):
        schedule(chain, last, (2, 2))
    with pytest.raises(ValueError, match="between two blocks"):
        schedule(chain, 0, (2, 2))
    with pytest.raises(ValueError, match="does not divide"):
        schedule(chain, 1, (2, 100))
    assert schedule(chain, first, (2, 2)).layers == first


def test_what_lies_behind_the_layers_bounds_the_peak():
    chain = mobilenet_v2(96)
    heavy = MapChain(chain.layers, chain.residuals, rest_bytes=10**9)
    assert without_patches(heavy).peak_bytes == 10**9
    assert {each.peak_bytes for each in schedules(heavy)} == {10**9}


@st.composite
def chains(draw) -> MapChain:
    side, channels = draw(st.integers(4, 40)), 3
    layers: list[MapLayer] = []
    for _ in range(draw(st.integers(1, 6))):
        # A window that is narrower than its step leaves elements out, which patches never make.
        kernel, stride = draw(st.sampled_from([(1, 1), (3, 1), (3, 2), (5, 1), (5, 2)]))
        depthwise = draw(st.booleans())
        outs = channels if depthwise else draw(st.integers(1, 32))
        groups = channels if depthwise else 1
        layers.append(square(channels, outs, kernel, stride, side, groups))
        side, channels = layers[-1].out_size[0], outs
    return MapChain(tuple(layers))


@settings(derandomize=True, deadline=None)
@given(chains(), st.data())
def test_a_patch_is_a_part_of_the_whole(chain, data):
    found = data.draw(st.sampled_from(list(schedules(chain))))
    assert found.extra_macs >= 0
    assert all(p <= whole for p, whole in zip(found.patch, chain.layers[0].in_size, strict=True))
    whole = without_patches(chain)
    # The image is streamed and the last map held throughout: besides, no patch takes more.
    last = chain.layers[max(found.layers, 1) - 1]
    assert found.stage_bytes <= whole.peak_bytes + last.out_bytes(last.out_size)


@settings(derandomize=True, deadline=None)
@given(chains(), st.data())
def test_the_patches_together_read_all_that_the_output_depends_on(chain, data):
    """The patch is no smaller than what one element at a time would reach, by walking backwards."""
    layers = data.draw(st.integers(1, len(chain.layers)))
    side = chain.layers[layers - 1].out_size[0]
    count = data.draw(st.integers(1, side))
    wanted = -(-side // count)
    reached = {*range(wanted)}
    for layer in reversed(chain.layers[:layers]):
        step, taps = layer.stride[0], layer.kernel[0]
        reached = {element * step + tap for element in reached for tap in range(taps)}
    patch = schedule(chain, layers, (count, count)).patch[0]
    assert patch >= min(max(reached) - min(reached) + 1, chain.layers[0].in_size[0])


@settings(derandomize=True, deadline=None)
@given(chains(), st.integers(1, 200_000))
def test_the_cheapest_of_all_is_found(chain, ram_bytes):
    found = cheapest_within(chain, ram_bytes)
    fitting = [each for each in schedules(chain) if each.peak_bytes <= ram_bytes]
    assert (found is None) == (fitting == [])
    if found is not None:
        assert found.extra_macs == min(each.extra_macs for each in fitting)


@pytest.mark.parametrize(
    ("name", "layers", "operators"),
    [("Person_Detection", 29, 29), ("ARM_DS_CNN_Small_", 10, 14), ("ARM_MicroNet_VWW_3", 55, 71)],
)
def test_layers_are_read_from_files(data_dir, name, layers, operators):
    network = read_network((data_dir / f"ren/models/{name}.tflite").read_bytes())
    chain = map_chain(network)
    assert chain is not None
    assert (len(chain.layers), len(network.operators)) == (layers, operators)
    macs = sum(layer.macs(layer.out_size) for layer in chain.layers)
    counted = sum(
        operator_macs(operator, network.main)
        for operator in network.operators
        if operator.name in {"CONV_2D", "DEPTHWISE_CONV_2D"}
    )
    assert macs == counted
    for before, after in pairwise(chain.layers):
        assert before.out_channels <= after.in_channels  # channels may be padded before an ADD
        assert before.out_size == after.in_size
    assert all(0 <= first < last < layers for first, last in chain.residuals)


def test_a_network_without_maps_has_no_patches():
    assert map_chain(read_network(dense(64, 10))) is None
