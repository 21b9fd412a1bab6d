"""How a parent and its child talk over a pipe: each message is a length and that many bytes."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import orjson

LENGTH = struct.Struct(">I")


def send(stream: BinaryIO, head: dict[str, Any], body: bytes = b"") -> None:
    """One frame for the head (JSON) and one for the body."""
    for part in (orjson.dumps(head), body):
        stream.write(LENGTH.pack(len(part)) + part)
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes:
    """The next frame, or none where the input has ended."""
    head = _exactly(stream, LENGTH.size)
    return _exactly(stream, LENGTH.unpack(head)[0]) if head else b""


def _exactly(stream: BinaryIO, count: int) -> bytes:
    """That many bytes, or none where the input ended before; a pipe gives them piece by piece."""
    parts = bytearray()
    while len(parts) < count:
        piece = stream.read(count - len(parts))
        if not piece:
            return b""
        parts += piece
    return bytes(parts)
