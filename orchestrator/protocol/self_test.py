"""The self-test that a device runs on a new network before it commits to it.

Input from a seed instead of stored bytes: a manifest stays under 1 KiB and the check still covers
the artifact, the kernels and the arena together.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

GENERATOR = "xorshift32"
MAX_EXPECTED_BYTES = 64
MAX_INPUT_ELEMENTS = 2**20


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Input by `generator` from `seed` (1 to 2^32 - 1); what the first output must then be.

    `expected` is the beginning of the first output tensor, at most 64 bytes of int8; each element
    may be off by `tolerance`, in steps of the quantization.
    """

    generator: str
    seed: int
    expected: bytes
    tolerance: int


def self_test_input(generator: str, seed: int, shape: Sequence[int], dtype: str = "int8") -> bytes:
    """The input tensor's bytes, little-endian, in C order.

    Marsaglia's xorshift32 (x ^= x << 13; x ^= x >> 17; x ^= x << 5, 32 bits; "Xorshift RNGs",
    2003), stepped once before each element. int8 and uint8 take the state's top 8 bits, float32
    its top 24 bits over 2^24, which is exact and in [0, 1).
    """
    if generator != GENERATOR:
        raise ValueError(f"{generator!r} is no generator of self-test inputs; {GENERATOR!r} is")
    count = math.prod(shape)
    if not 0 < seed < 2**32 or not 0 < count <= MAX_INPUT_ELEMENTS:
        raise ValueError("a self-test needs a seed of 1 to 2^32 - 1 and 1 to 2^20 elements")
    states = _xorshift32(seed, count)
    if dtype in ("int8", "uint8"):
        return bytes(state >> 24 for state in states)
    if dtype == "float32":
        return struct.pack(f"<{count}f", *((state >> 8) / 2**24 for state in states))
    raise ValueError(f"{dtype!r} is no type of a self-test input: int8, uint8 or float32")


def self_test_passes(test: SelfTest, output: bytes) -> bool:
    """Whether an int8 output tensor begins as expected, within the tolerance."""
    count = len(test.expected)
    if len(output) < count:
        return False
    pairs = zip(
        struct.unpack(f"{count}b", test.expected),
        struct.unpack(f"{count}b", output[:count]),
        strict=True,
    )
    return all(abs(expected - found) <= test.tolerance for expected, found in pairs)


def _xorshift32(seed: int, count: int) -> Iterator[int]:
    state = seed
    for _ in range(count):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        yield state
