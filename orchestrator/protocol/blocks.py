"""Artifacts cut into blocks, each with a CRC-32 that tells a torn one before flash is written.

The CRC guards against accident alone; what guards against malice is the digest in the manifest.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

WHOLE_FILE = 0
"""The exponent of an artifact that travels as one block, whatever its size."""

CRC_BYTES = 4
WINDOW = 16
"""How many blocks a device subscribes to at once, at most."""


class BlockError(ValueError):
    """A payload that is no block; the device asks for it again."""


def frame(block: bytes) -> bytes:
    """The block, then its CRC-32 (ISO-HDLC, as in zlib) as 4 bytes big-endian."""
    return block + zlib.crc32(block).to_bytes(CRC_BYTES, "big")


def unframe(payload: bytes) -> bytes:
    """The block of a payload, or a BlockError."""
    if len(payload) <= CRC_BYTES:
        raise BlockError(f"a block of {len(payload)} bytes has no content")
    block, crc = payload[:-CRC_BYTES], payload[-CRC_BYTES:]
    if zlib.crc32(block).to_bytes(CRC_BYTES, "big") != crc:
        raise BlockError(f"the CRC-32 of a block of {len(block)} bytes does not match")
    return block


def block_count(size: int, exponent: int) -> int:
    """How many blocks `size` bytes make."""
    if size < 1 or exponent < 0:
        raise ValueError("an artifact has at least one byte and its exponent is not negative")
    return 1 if exponent == WHOLE_FILE else -(-size // (1 << exponent))


def block_size(size: int, exponent: int, block: int) -> int:
    """The bytes in block number `block`; the last one may be short."""
    if not 0 <= block < block_count(size, exponent):
        raise ValueError(f"an artifact of {size} bytes has no block {block} of 2^{exponent}")
    return size if exponent == WHOLE_FILE else min(1 << exponent, size - (block << exponent))


def split(data: bytes, exponent: int) -> Iterator[tuple[int, bytes]]:
    """(block number, block) for the whole artifact, unframed."""
    for block in range(block_count(len(data), exponent)):
        start = block << exponent if exponent else 0
        yield block, data[start : start + block_size(len(data), exponent, block)]
