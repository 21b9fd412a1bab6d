"""Blocks: cut, framed, unframed and joined they are the artifact; a torn one is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.protocol import blocks
from orchestrator.protocol.blocks import BlockError
from tests.contract.samples import fixed

exponents = st.sampled_from([blocks.WHOLE_FILE, 8, 10, 12])


@fixed
@given(st.binary(min_size=1, max_size=5000), exponents)
def test_an_artifact_is_its_blocks(data, exponent):
    cut = list(blocks.split(data, exponent))
    assert [number for number, _ in cut] == list(range(blocks.block_count(len(data), exponent)))
    assert b"".join(blocks.unframe(blocks.frame(block)) for _, block in cut) == data
    for number, block in cut:
        assert len(block) == blocks.block_size(len(data), exponent, number)


@fixed
@given(st.binary(min_size=1, max_size=300), st.data())
def test_one_changed_byte_is_seen(block, data):
    framed = bytearray(blocks.frame(block))
    framed[data.draw(st.integers(0, len(framed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BlockError):
        blocks.unframe(bytes(framed))


@pytest.mark.parametrize("payload", [b"", b"\0\0\0\0", b"abc", blocks.frame(b"abcdef")[:-1]])
def test_what_is_no_block_is_refused(payload):
    with pytest.raises(BlockError):
        blocks.unframe(payload)


def test_the_crc_is_the_one_of_zlib_and_big_endian():
    assert blocks.frame(b"123456789") == b"123456789" + bytes.fromhex("cbf43926")


@pytest.mark.parametrize(
    ("size", "exponent", "count"),
    [(1, 0, 1), (10**6, 0, 1), (1024, 10, 1), (1025, 10, 2), (42480, 12, 11), (42480, 10, 42)],
)
def test_counts(size, exponent, count):
    assert blocks.block_count(size, exponent) == count


@pytest.mark.parametrize(
    "call", [lambda: blocks.block_count(0, 10), lambda: blocks.block_count(5, -1)]
)
def test_nothing_has_no_blocks(call):
    with pytest.raises(ValueError, match="at least one byte"):
        call()


@pytest.mark.parametrize("block", [-1, 42])
def test_there_is_no_block_outside(block):
    with pytest.raises(ValueError, match="has no block"):
        blocks.block_size(42480, 10, block)
