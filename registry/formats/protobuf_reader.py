"""Reading a protocol buffer by its schema, trusting none of its lengths.

Every read is checked against the bounds of the message that it stands in; a budget bounds the work
and a limit the nesting, so that a small file cannot make a large tree. Long runs of bytes and
packed numbers stay views of the file. Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from registry.formats.errors import FormatError
from registry.formats.tree import Node, StructureBudget, Where, path_text

# What protobuf's own parsers allow.
MAX_DEPTH = 100
MAX_NAME_BYTES = 4096
_MAX_VARINT_BYTES = 10
_FIELD_COST = 16
_REMEDY = "Export the model again or fetch the file again; this one is damaged."

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES: Mapping[int, int] = {_FIXED64: 8, _FIXED32: 4}


class Wire(Enum):
    """How a field's value lies in the file; `bulk` is packed numbers that stay a view."""

    INTEGER = "integer"
    REAL = "real"
    TEXT = "text"
    OCTETS = "octets"
    MESSAGE = "message"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class MessageField:
    """One field of a message: its name, wire form, and for a message in it, of which type."""

    name: str
    wire: Wire
    is_repeated: bool = False
    message: str = ""


# Field number to field, by the message's name: messages contain each other.
Schema: TypeAlias = Mapping[str, Mapping[int, MessageField]]


@dataclass(frozen=True, slots=True)
class Span:
    """One field where it lies: `start` is its tag, from `begin` to `end` its value."""

    number: int
    wire: int
    start: int
    begin: int
    end: int


class WireScanner:
    """Finds the fields of a message in one file, within its bounds and a budget for the whole.

    `where` arguments are linked tuples, spelt out only in an error.
    """

    def __init__(self, data: bytes) -> None:
        self.view = memoryview(data)
        self._budget = StructureBudget()

    def spans(self, begin: int, end: int, where: Where) -> Iterator[Span]:
        """The fields between two bytes, known or not, in the order in which they stand."""
        position = begin
        while position < end:
            start = position
            tag, position = self._varint(position, end, where)
            self._budget.spend(_FIELD_COST, where)
            if tag >> 3 == 0:
                raise self._refused("a field has the number 0", where)
            value, position = self._extent(position, end, tag & 7, where)
            yield Span(tag >> 3, tag & 7, start, value, position)

    def _extent(self, position: int, end: int, wire: int, where: Where) -> tuple[int, int]:
        """Where a value of that wire type begins and ends."""
        if wire == _VARINT:
            return position, self._varint(position, end, where)[1]
        if wire == _LENGTH:
            length, position = self._varint(position, end, where)
        elif wire in _FIXED_BYTES:
            length = _FIXED_BYTES[wire]
        else:
            raise self._refused(f"a field has the unknown wire type {wire}", where)
        if position + length > end:
            raise self._refused(
                f"a length reaches byte {position + length} where the message ends at {end}", where
            )
        return position, position + length

    def _varint(self, position: int, end: int, where: Where) -> tuple[int, int]:
        """An unsigned number in groups of seven bits, and where it ends."""
        value = 0
        for shift in range(0, 7 * _MAX_VARINT_BYTES, 7):
            if position >= end:
                raise self._refused(f"the message ends at byte {end} within a number", where)
            octet = self.view[position]
            position += 1
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, position
        raise self._refused(f"a number takes more than {_MAX_VARINT_BYTES} bytes", where)

    def _refused(self, what: str, where: Where) -> FormatError:
        return FormatError(what, path_text(where), _REMEDY)


class ProtobufReader(WireScanner):
    """Walks one file by its schema."""

    def __init__(self, data: bytes, schema: Schema) -> None:
        super().__init__(data)
        self._schema = schema

    def root(self, message: str) -> Node:
        """The file's tree as a mapping of the fields that are present; repeated ones are lists.

        Raises FormatError where any length, tag or type is not what the format allows.
        """
        return self.message(0, len(self.view), message, (), MAX_DEPTH)

    def message(self, begin: int, end: int, message: str, where: Where, depth: int) -> Node:
        """The message between two bytes, in which others lie at most `depth` deep."""
        if depth == 0:
            raise self._refused(f"messages lie more than {MAX_DEPTH} deep in each other", where)
        fields = self._schema[message]
        node: Node = {}
        for span in self.spans(begin, end, where):
            field = fields.get(span.number)
            if field is not None:
                self._read(node, field, span.wire, (span.begin, span.end), where, depth)
        return node

    def _read(
        self,
        node: Node,
        field: MessageField,
        wire: int,
        extent: tuple[int, int],
        where: Where,
        depth: int,
    ) -> None:
        if field.is_repeated:
            found: list[Any] = node.setdefault(field.name, [])
            item = (where, field.name, len(found))
            found.extend(self._values(field, wire, extent, item, depth))
            return
        inside = (where, field.name)
        if field.wire is Wire.MESSAGE and field.name in node:
            raise self._refused("the field occurs twice", inside)
        node[field.name] = next(iter(self._values(field, wire, extent, inside, depth)), 0)

    def _values(
        self, field: MessageField, wire: int, extent: tuple[int, int], where: Where, depth: int
    ) -> Iterator[Any]:
        """The value, or of packed numbers each."""
        start, end = extent
        match field.wire, wire:
            case Wire.MESSAGE, 2:
                yield self.message(start, end, field.message, where, depth - 1)
            case Wire.TEXT, 2:
                yield self._text(start, end, where)
            case (Wire.OCTETS, 2) | (Wire.BULK, _):
                yield self.view[start:end]
            case Wire.INTEGER, 0:
                yield signed(self._varint(start, end, where)[0])
            case Wire.INTEGER, 2:
                yield from self._packed_integers(start, end, where)
            case Wire.REAL, 5:
                yield struct.unpack("<f", self.view[start:end])[0]
            case Wire.REAL, 2:
                yield from self._packed_reals(start, end, where)
            case _:
                raise self._refused(f"the wire type {wire} is not this field's", where)

    def _packed_integers(self, start: int, end: int, where: Where) -> Iterator[int]:
        while start < end:
            value, start = self._varint(start, end, where)
            self._budget.spend(_FIELD_COST, where)
            yield signed(value)

    def _packed_reals(self, start: int, end: int, where: Where) -> tuple[float, ...]:
        if (end - start) % 4:
            raise self._refused(f"{end - start} bytes are no whole number of floats", where)
        self._budget.spend(4 * (end - start), where)
        return struct.unpack(f"<{(end - start) // 4}f", self.view[start:end])

    def _text(self, start: int, end: int, where: Where) -> str:
        if end - start > MAX_NAME_BYTES and where[1] not in _PROSE:
            raise self._refused(
                f"a name has {end - start} bytes, more than {MAX_NAME_BYTES}", where
            )
        self._budget.spend(end - start, where)
        return bytes(self.view[start:end]).decode("utf-8", "surrogateescape")


# Texts that people read, which may be as long as they like.
_PROSE = frozenset({"doc_string", "value"})


def signed(value: int) -> int:
    """A 64-bit number as two's complement."""
    return value - (1 << 64) if value >> 63 else value


def unpack_varints(view: memoryview) -> Iterator[int]:
    """The numbers of a packed field that was kept as a view; a number cut short is left out."""
    value = shift = 0
    for octet in view:
        value |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            yield signed(value & 0xFFFFFFFFFFFFFFFF)
            value = shift = 0
        elif shift >= 7 * _MAX_VARINT_BYTES:
            return


def encoded_varint(value: int) -> bytes:
    """A number of zero or more in groups of seven bits."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
