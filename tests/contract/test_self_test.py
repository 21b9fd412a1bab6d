"""The self-test: one stated input, one expected output, a tolerance."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.protocol.manifest import SelfTest, self_test_input
from orchestrator.protocol.self_test import self_test_passes
from tests.contract.samples import fixed


def test_the_generator_is_marsaglia_s():
    """From state 1 the generator of the paper goes to 270369, then 67634689."""
    floats = struct.unpack("<2f", self_test_input("xorshift32", 1, (2,), "float32"))
    assert [round(value * 2**24) for value in floats] == [270369 >> 8, 67634689 >> 8]
    assert self_test_input("xorshift32", 1, (1, 2)) == bytes([270369 >> 24, 67634689 >> 24])


@fixed
@given(st.integers(1, 2**32 - 1), st.lists(st.integers(1, 6), max_size=4))
def test_inputs_have_the_size_of_their_shape_and_repeat(seed, shape):
    count = len(self_test_input("xorshift32", seed, shape))
    product = 1
    for length in shape:
        product *= length
    assert count == product
    assert len(self_test_input("xorshift32", seed, shape, "float32")) == 4 * count
    assert self_test_input("xorshift32", seed, shape) == self_test_input("xorshift32", seed, shape)


def test_inputs_spread_over_the_whole_range():
    assert len(set(self_test_input("xorshift32", 7, (4096,)))) == 256


@pytest.mark.parametrize(
    ("generator", "seed", "shape", "dtype"),
    [
        ("mersenne", 1, (2,), "int8"),
        ("xorshift32", 0, (2,), "int8"),
        ("xorshift32", 2**32, (2,), "int8"),
        ("xorshift32", 1, (0,), "int8"),
        ("xorshift32", 1, (2048, 2048), "int8"),
        ("xorshift32", 1, (2,), "int64"),
    ],
)
def test_what_is_not_defined_is_refused(generator, seed, shape, dtype):
    with pytest.raises(ValueError, match="."):
        self_test_input(generator, seed, shape, dtype)


@pytest.mark.parametrize(
    ("output", "passes"),
    [
        (b"\x00\x7f\x80", True),
        (b"\x02\x7d\x82", True),
        (b"\x02\x7d\x82 and more", True),
        (b"\xfe\x7f\x80", True),
        (b"\x03\x7f\x80", False),
        (b"\x00\x80\x80", False),
        (b"\x00\x7f", False),
        (b"", False),
    ],
)
def test_outputs_are_compared_as_int8_within_the_tolerance(output, passes):
    test = SelfTest("xorshift32", 1, b"\x00\x7f\x80", tolerance=2)
    assert self_test_passes(test, output) is passes
