"""The TensorFlow Lite schema (version 3), as far as reading and rewriting a file need it.

Facts from tensorflow/lite/schema/schema.fbs. A table is a tuple of fields in slot order. Tables of
operator options that hold only scalars are not listed: their bytes are copied as they stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a field's value lies in the file."""

    SCALAR = "scalar"
    STRING = "string"
    SCALARS = "scalars"
    BYTES = "bytes"
    TABLE = "table"
    TABLES = "tables"
    UNION = "union"


@dataclass(frozen=True, slots=True)
class Field:
    """One slot of a table.

    `code` is the struct letter of a scalar or of a vector's elements; `table` what an offset leads
    to; `tag` the field that says which member of `union` is meant; `align` a vector's alignment in
    bytes where it is more than its elements' size.
    """

    name: str
    kind: Kind
    code: str = ""
    default: int | float = 0
    table: TableType | None = None
    tag: str = ""
    union: Mapping[int, TableType | None] | None = None
    align: int = 4


@dataclass(frozen=True, slots=True)
class TableType:
    """A table's name, for messages, and its fields in slot order."""

    name: str
    fields: tuple[Field, ...]


def scalar(name: str, code: str, default: int | float = 0) -> Field:
    """A number in place."""
    return Field(name, Kind.SCALAR, code, default)


def scalars(name: str, code: str) -> Field:
    """A vector of numbers."""
    return Field(name, Kind.SCALARS, code, align=8 if code in "qQd" else 4)


def string(name: str) -> Field:
    """Text with its length and a closing zero."""
    return Field(name, Kind.STRING)


def octets(name: str, align: int = 4) -> Field:
    """A vector of bytes that is kept as bytes."""
    return Field(name, Kind.BYTES, "B", align=align)


def one(name: str, table: TableType) -> Field:
    """A table."""
    return Field(name, Kind.TABLE, table=table)


def many(name: str, table: TableType) -> Field:
    """A vector of tables."""
    return Field(name, Kind.TABLES, table=table)


def union(name: str, tag: str, members: Mapping[int, TableType | None]) -> Field:
    """A table whose type another field tells; None is a table of scalars, copied as it stands."""
    return Field(name, Kind.UNION, tag=tag, union=members)


_INT32_VECTOR = TableType("Int32Vector", (scalars("values", "i"),))
_UINT16_VECTOR = TableType("Uint16Vector", (scalars("values", "H"),))
_UINT8_VECTOR = TableType("Uint8Vector", (octets("values"),))
_SPARSE_INDEX = {1: _INT32_VECTOR, 2: _UINT16_VECTOR, 3: _UINT8_VECTOR}

_QUANTIZATION_DETAILS: Mapping[int, TableType | None] = {
    1: TableType("CustomQuantization", (octets("custom", align=16),)),
    2: TableType(
        "BlockwiseQuantization",
        (
            scalar("scales", "i"),
            scalar("zero_points", "i"),
            scalar("block_size", "i"),
            scalars("block_shape", "i"),
        ),
    ),
    3: TableType(
        "MultiAxisQuantization",
        (
            scalar("scales", "i"),
            scalar("zero_points", "i"),
            scalar("block_size", "i"),
            scalars("quantized_dimensions", "i"),
        ),
    ),
}

QUANTIZATION = TableType(
    "QuantizationParameters",
    (
        scalars("min", "f"),
        scalars("max", "f"),
        scalars("scale", "f"),
        scalars("zero_point", "q"),
        scalar("details_type", "B"),
        union("details", "details_type", _QUANTIZATION_DETAILS),
        scalar("quantized_dimension", "i"),
    ),
)

_DIMENSION_METADATA = TableType(
    "DimensionMetadata",
    (
        scalar("format", "b"),
        scalar("dense_size", "i"),
        scalar("array_segments_type", "B"),
        union("array_segments", "array_segments_type", _SPARSE_INDEX),
        scalar("array_indices_type", "B"),
        union("array_indices", "array_indices_type", _SPARSE_INDEX),
    ),
)

_SPARSITY = TableType(
    "SparsityParameters",
    (
        scalars("traversal_order", "i"),
        scalars("block_map", "i"),
        many("dim_metadata", _DIMENSION_METADATA),
    ),
)

_VARIANT_TYPE = TableType(
    "VariantSubType", (scalars("shape", "i"), scalar("type", "b"), scalar("has_rank", "?"))
)

TENSOR = TableType(
    "Tensor",
    (
        scalars("shape", "i"),
        scalar("type", "b"),
        scalar("buffer", "I"),
        string("name"),
        one("quantization", QUANTIZATION),
        scalar("is_variable", "?"),
        one("sparsity", _SPARSITY),
        scalars("shape_signature", "i"),
        scalar("has_rank", "?"),
        many("variant_tensors", _VARIANT_TYPE),
        scalar("external_buffer", "I"),
    ),
)

OPERATOR_CODE = TableType(
    "OperatorCode",
    (
        scalar("deprecated_builtin_code", "b"),
        string("custom_code"),
        scalar("version", "i", 1),
        scalar("builtin_code", "i"),
    ),
)
