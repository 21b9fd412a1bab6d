"""Reading a flatbuffer by its schema, trusting none of its offsets.

A flatbuffer is a graph of offsets in which a hostile file may point anywhere, also many times at
the same place. Every read is checked against the file's bounds, and a budget bounds the work, so
that a small file cannot make a large tree. Format: https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from registry.formats.errors import FormatError
from registry.formats.tflite_schema import Field, Kind, TableType
from registry.formats.tree import Node, StructureBudget, Where, path_text

_TABLE_COST = 64
_REMEDY = "Export the model again or fetch the file again; this one is damaged."

# The key that marks a node with a field that the schema does not know.
UNKNOWN_SLOTS = "unknown slots"


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table of scalars whose fields nobody here needs: its vtable entries and its bytes."""

    slots: tuple[int, ...]
    body: bytes


class FlatbufferReader:
    """Walks one file. `where` arguments are linked tuples, spelt out only in an error."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._view = memoryview(data)
        self._size = len(data)
        self._budget = StructureBudget()

    def root(self, table: TableType) -> Node:
        """The tree under the file's root table.

        Raises FormatError where any offset, length or type is not what the format allows.
        """
        return self.table(self._offset(0, ()), table, ())

    def table(self, position: int, table: TableType, where: Where) -> Node:
        """One table as a mapping of the fields that are present."""
        slots, extent = self._slots(position, where)
        node: Node = {}
        for slot, field in zip(slots, table.fields, strict=False):
            if slot:
                self._read_field(node, position, slot, extent, field, where)
        if any(slots[len(table.fields) :]):
            node[UNKNOWN_SLOTS] = True
        return node

    def raw_table(self, position: int, where: Where) -> RawTable:
        """A table whose fields are all scalars, as it stands."""
        slots, extent = self._slots(position, where)
        return RawTable(slots, self._data[position + 4 : position + extent])

    def _slots(self, position: int, where: Where) -> tuple[tuple[int, ...], int]:
        self._check(position, 4, 4, where)
        vtable = position - struct.unpack_from("<i", self._data, position)[0]
        self._check(vtable, 4, 2, where)
        size, extent = struct.unpack_from("<HH", self._data, vtable)
        if size < 4 or size % 2 or extent < 4:
            raise self._damaged("a table has an impossible size", where)
        self._check(vtable, size, 2, where)
        self._check(position, extent, 4, where)
        self._budget.spend(_TABLE_COST + size + extent, where)
        slots = struct.unpack_from(f"<{(size - 4) // 2}H", self._data, vtable + 4)
        if slots and max(slots) >= extent:
            raise self._damaged("a field lies outside its table", where)
        return slots, extent

    def _read_field(
        self, node: Node, position: int, slot: int, extent: int, field: Field, where: Where
    ) -> None:
        at = position + slot
        width = struct.calcsize("<" + field.code) if field.kind is Kind.SCALAR else 4
        if slot + width > extent or at % width:
            raise self._damaged("a field lies outside its table", (where, field.name))
        if field.kind is Kind.SCALAR:
            node[field.name] = struct.unpack_from("<" + field.code, self._data, at)[0]
            return
        inside = (where, field.name)
        node[field.name] = self._read_target(node, self._offset(at, inside), field, inside)

    def _read_target(self, node: Node, target: int, field: Field, where: Where) -> Any:
        match field.kind:
            case Kind.STRING:
                return self._string(target, where)
            case Kind.SCALARS:
                return self._scalars(target, field.code, where)
            case Kind.BYTES:
                return self._octets(target, where)
            case Kind.TABLES:
                return list(self._tables(target, field, where))
            case Kind.UNION:
                return self._union(node, target, field, where)
            case _:
                assert field.table is not None
                return self.table(target, field.table, where)

    def _union(self, node: Node, target: int, field: Field, where: Where) -> Node | RawTable:
        assert field.union is not None
        number = node.get(field.tag, 0)
        if number not in field.union:
            node[UNKNOWN_SLOTS] = True
            return RawTable((), b"")
        member = field.union[number]
        return (
            self.raw_table(target, where) if member is None else self.table(target, member, where)
        )

    def _tables(self, target: int, field: Field, where: Where) -> Iterator[Node]:
        assert field.table is not None
        start, count = self._vector(target, 4, where)
        self._budget.spend(4 * count, where)
        parent, name = where
        for index in range(count):
            item = (parent, name, index)
            yield self.table(self._offset(start + 4 * index, item), field.table, item)

    def _scalars(self, target: int, code: str, where: Where) -> tuple[Any, ...]:
        width = struct.calcsize("<" + code)
        start, count = self._vector(target, width, where)
        self._budget.spend(width * count, where)
        return struct.unpack_from(f"<{count}{code}", self._data, start)

    def _octets(self, target: int, where: Where) -> memoryview:
        start, count = self._vector(target, 1, where)
        return self._view[start : start + count]

    def _string(self, target: int, where: Where) -> str:
        start, count = self._vector(target, 1, where)
        self._budget.spend(count, where)
        return self._data[start : start + count].decode("utf-8", "surrogateescape")

    def _vector(self, target: int, width: int, where: Where) -> tuple[int, int]:
        self._check(target, 4, 4, where)
        count = struct.unpack_from("<I", self._data, target)[0]
        self._check(target + 4, count * width, min(width, 4), where)
        return target + 4, count

    def _offset(self, at: int, where: Where) -> int:
        self._check(at, 4, 4, where)
        distance = struct.unpack_from("<I", self._data, at)[0]
        if distance == 0:
            raise self._damaged("an offset points at itself", where)
        return at + int(distance)

    def _check(self, position: int, length: int, alignment: int, where: Where) -> None:
        if position < 0 or position + length > self._size:
            reached = position + length
            raise self._damaged(
                f"an offset reaches byte {reached} of a file of {self._size} bytes", where
            )
        if position % alignment:
            raise self._damaged(f"byte {position} is not aligned to {alignment}", where)

    def _damaged(self, what: str, where: Where) -> FormatError:
        return FormatError(what, path_text(where), _REMEDY)
