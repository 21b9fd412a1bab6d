"""CBOR (RFC 8949) as the protocol speaks it: definite lengths, shortest heads, no duplicate keys.

cbor2 does the conversion. The walk before it refuses what cbor2 would accept or act upon: trailing
bytes, duplicate keys, indefinite lengths, padded integers, deep nesting, and every tag (cbor2 turns
tags into dates, regular expressions, shared references) that the caller did not ask for.
"""

from __future__ import annotations

from collections.abc import Set

import cbor2

from orchestrator.protocol.fields import MessageError

MAX_DEPTH = 12
_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_SIZES = ((24, 1), (25, 2), (26, 4), (27, 8))
_SHORTEST = {24: 24, 25: 2**8, 26: 2**16, 27: 2**32}
_FALSE_TRUE_NULL = (20, 21, 22)


def dumps(value: object) -> bytes:
    """Core deterministic encoding (RFC 8949, 4.2.1).

    cbor2's `canonical` sorts keys by length first, as RFC 7049 did; that puts key 24 after -1.
    """
    if isinstance(value, dict):
        pairs = sorted((dumps(key), dumps(member)) for key, member in value.items())
        return _head(_MAP, len(pairs)) + b"".join(key + member for key, member in pairs)
    if isinstance(value, list | tuple):
        return _head(_ARRAY, len(value)) + b"".join(dumps(member) for member in value)
    if isinstance(value, cbor2.CBORTag):
        return _head(_TAG, value.tag) + dumps(value.value)
    return _leaf(value)


def loads(data: bytes, max_bytes: int, tags: Set[int] = frozenset()) -> object:
    """The one data item that `data` is, or a MessageError; `tags` are those allowed in it."""
    if len(data) > max_bytes:
        raise MessageError(f"has {len(data)} bytes, more than {max_bytes}")
    end = _Walk(data, tags).item(0, 0)
    if end != len(data):
        raise MessageError(f"has {len(data) - end} bytes after its end")
    try:
        value: object = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError, OverflowError) as error:
        raise MessageError(f"is not CBOR: {error}") from error
    return value


def _leaf(value: object) -> bytes:
    """What has no parts. A call of cbor2 costs twenty times what these few bytes do."""
    if isinstance(value, bytes):
        return _head(_BYTES, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return _head(_TEXT, len(text)) + text
    if type(value) is int and -(2**64) <= value < 2**64:
        return _head(_UINT, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
    return cbor2.dumps(value, canonical=True)


def _head(major: int, argument: int) -> bytes:
    """Major type and argument in their shortest form (RFC 8949, 3)."""
    if argument < 24:
        return bytes([major << 5 | argument])
    for code, size in _SIZES:
        if argument < 1 << 8 * size:
            return bytes([major << 5 | code]) + argument.to_bytes(size, "big")
    raise OverflowError(f"{argument} does not fit a CBOR head")


class _Walk:
    """One pass over the encoded bytes; `item` gives the offset after the item at `at`."""

    def __init__(self, data: bytes, tags: Set[int]) -> None:
        self._data = data
        self._tags = tags

    def item(self, at: int, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise MessageError(f"is nested deeper than {MAX_DEPTH}")
        major, argument, after = self._read_head(at)
        if major in (_BYTES, _TEXT):
            return self._string(major, at, after, argument)
        if major == _ARRAY:
            return self._array(after, argument, depth)
        if major == _MAP:
            return self._map(after, argument, depth)
        if major == _TAG:
            if argument not in self._tags:
                raise MessageError(f"CBOR tag {argument} at byte {at} has no place here")
            return self.item(after, depth + 1)
        return after

    def _read_head(self, at: int) -> tuple[int, int, int]:
        major, short = divmod(self._bytes(at, 1)[0], 32)
        if short < 24:
            self._check_simple(major, short, at)
            return major, short, at + 1
        if short > 27 or (major == _SIMPLE and short == 24):
            raise MessageError(f"byte {at} starts an indefinite or reserved CBOR item")
        size = 1 << (short - 24)
        argument = int.from_bytes(self._bytes(at + 1, size))
        if major != _SIMPLE and argument < _SHORTEST[short]:
            raise MessageError(f"the CBOR number at byte {at} is longer than it needs to be")
        return major, argument, at + 1 + size

    def _check_simple(self, major: int, short: int, at: int) -> None:
        if major == _SIMPLE and short not in _FALSE_TRUE_NULL:
            raise MessageError(f"CBOR simple value {short} at byte {at} has no place here")

    def _string(self, major: int, at: int, start: int, length: int) -> int:
        content = self._bytes(start, length)
        if major == _TEXT:
            try:
                content.decode("utf-8")
            except UnicodeDecodeError as error:
                raise MessageError(f"the text at byte {at} is not UTF-8") from error
        return start + length

    def _array(self, at: int, count: int, depth: int) -> int:
        # Each member takes at least one byte, so a false count ends at the end of the data.
        for _ in range(count):
            at = self.item(at, depth + 1)
        return at

    def _map(self, at: int, count: int, depth: int) -> int:
        keys: set[bytes] = set()
        for _ in range(count):
            if self._bytes(at, 1)[0] >> 5 > _TEXT:
                raise MessageError(f"the CBOR map key at byte {at} is no number or string")
            after_key = self.item(at, depth + 1)
            key = self._data[at:after_key]
            if key in keys:
                raise MessageError(f"the CBOR map key at byte {at} stands twice")
            keys.add(key)
            at = self.item(after_key, depth + 1)
        return at

    def _bytes(self, at: int, count: int) -> bytes:
        found = self._data[at : at + count]
        if len(found) < count:
            raise MessageError(f"is truncated at byte {len(self._data)}")
        return found
