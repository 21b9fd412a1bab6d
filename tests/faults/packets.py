"""As much of MQTT 3.1.1 as a test reads on the way."""

from __future__ import annotations

import asyncio


async def read_packet(reader: asyncio.StreamReader) -> bytes:
    """One whole packet (section 2.2)."""
    head = await reader.readexactly(1)
    length, shift = 0, 0
    while True:
        byte = await reader.readexactly(1)
        head += byte
        length |= (byte[0] & 0x7F) << shift
        shift += 7
        if not byte[0] & 0x80:
            return head + await reader.readexactly(length)


def client_id(connect: bytes) -> str:
    """Of a CONNECT packet (section 3.1): after the protocol's name and 4 bytes more."""
    start = next(at for at in range(1, 5) if not connect[at] & 0x80) + 1
    start += 2 + int.from_bytes(connect[start : start + 2], "big") + 4
    end = start + 2 + int.from_bytes(connect[start : start + 2], "big")
    return connect[start + 2 : end].decode()
