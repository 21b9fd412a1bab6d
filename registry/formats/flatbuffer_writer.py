"""Writing a tree of fields as a flatbuffer, as small as its format allows.

Tables come first, each before what it refers to, because offsets count forwards only. Vectors of
numbers and bytes come last and equal ones are written once, as are equal vtables: a network repeats
its shapes often.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from registry.formats.flatbuffer_reader import RawTable
from registry.formats.tflite_schema import Field, Kind, TableType
from registry.formats.tree import Node


class TooLarge(Exception):
    """The result would have more bytes than its limit."""


class FlatbufferWriter:
    """Writes one file of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._out = bytearray()
        self._limit = limit
        self._vtables: dict[bytes, int] = {}
        # (alignment of the contents, bytes before them, contents) to the offsets that lead there.
        self._vectors: dict[tuple[int, bytes, bytes], list[int]] = {}

    def write(self, table: TableType, tree: Node, identifier: bytes) -> bytes:
        """The file. Raises TooLarge."""
        self._out += bytes(4) + identifier
        self._table(table, tree, 0)
        for (alignment, count, contents), places in sorted(self._vectors.items()):
            self._vector(alignment, count, contents, places)
        return bytes(self._out)

    def _table(self, table: TableType, node: Node, place: int) -> None:
        """Append one table and all under it; the offset at `place` leads to it."""
        present = [
            (slot, field)
            for slot, field in enumerate(table.fields)
            if field.name in node
            and not (field.kind is Kind.SCALAR and node[field.name] == field.default)
        ]
        slots, extent = _layout(present)
        wide = any(_width(field) == 8 for _, field in present)
        start = self._open_table(slots, extent, 8 if wide else 4, place)
        for slot, field in present:
            self._field(field, node, start + slots[slot])

    def _raw_table(self, table: RawTable, place: int) -> None:
        start = self._open_table(table.slots, len(table.body) + 4, 4, place)
        self._out[start + 4 : start + 4 + len(table.body)] = table.body

    def _open_table(self, slots: Iterable[int], extent: int, alignment: int, place: int) -> int:
        """Append the vtable, unless an equal one stands, and an empty table; its position."""
        slots = tuple(slots)
        vtable = struct.pack(f"<{len(slots) + 2}H", 2 * len(slots) + 4, extent, *slots)
        if vtable not in self._vtables:
            self._pad(2)
            self._vtables[vtable] = len(self._out)
            self._append(vtable)
        # Fields of 8 bytes stand directly behind the table's first 4.
        self._pad(alignment, 4 if alignment == 8 else 0)
        start = len(self._out)
        self._append(bytes(extent))
        struct.pack_into("<i", self._out, start, start - self._vtables[vtable])
        self._point(place, start)
        return start

    def _field(self, field: Field, node: Node, at: int) -> None:
        value = node[field.name]
        match field.kind:
            case Kind.SCALAR:
                struct.pack_into("<" + field.code, self._out, at, value)
            case Kind.TABLES:
                self._tables(field, value, at)
            case Kind.TABLE | Kind.UNION:
                self._child(field, node, value, at)
            case _:
                count, contents = _vector_bytes(field, value)
                self._vectors.setdefault((field.align, count, contents), []).append(at)

    def _child(self, field: Field, node: Node, value: Node | RawTable, at: int) -> None:
        if isinstance(value, RawTable):
            self._raw_table(value, at)
            return
        table = field.union[node[field.tag]] if field.union else field.table
        assert table is not None
        self._table(table, value, at)

    def _tables(self, field: Field, nodes: list[Node], at: int) -> None:
        assert field.table is not None
        self._pad(4)
        start = len(self._out)
        self._append(struct.pack("<I", len(nodes)) + bytes(4 * len(nodes)))
        self._point(at, start)
        for index, node in enumerate(nodes):
            self._table(field.table, node, start + 4 + 4 * index)

    def _vector(self, alignment: int, count: bytes, contents: bytes, places: list[int]) -> None:
        self._pad(4)
        if contents:
            self._pad(alignment, 4)
        start = len(self._out)
        self._append(count + contents)
        for place in places:
            self._point(place, start)

    def _pad(self, alignment: int, before: int = 0) -> None:
        """Zeros, so that what comes `before` bytes later is aligned."""
        self._append(bytes(-(len(self._out) + before) % alignment))

    def _append(self, data: bytes) -> None:
        if len(self._out) + len(data) > self._limit:
            raise TooLarge
        self._out += data

    def _point(self, place: int, target: int) -> None:
        struct.pack_into("<I", self._out, place, target - place)


def _width(field: Field) -> int:
    return struct.calcsize("<" + field.code) if field.kind is Kind.SCALAR else 4


def _layout(present: list[tuple[int, Field]]) -> tuple[tuple[int, ...], int]:
    """Where each slot's field stands in its table, wide ones first; and the table's size."""
    slots = [0] * (max((slot for slot, _ in present), default=-1) + 1)
    at = 4
    for slot, field in sorted(present, key=lambda item: -_width(item[1])):
        slots[slot] = at
        at += _width(field)
    return tuple(slots), at


def _vector_bytes(field: Field, value: Any) -> tuple[bytes, bytes]:
    """A vector's length prefix and its contents; text ends with a zero that does not count."""
    if field.kind is Kind.STRING:
        text = value.encode("utf-8", "surrogateescape")
        return struct.pack("<I", len(text)), text + b"\0"
    if field.kind is Kind.BYTES:
        return struct.pack("<I", len(value)), bytes(value)
    return struct.pack("<I", len(value)), struct.pack(f"<{len(value)}{field.code}", *value)
