"""Data schemas: what the values of affordances look like.

They are checked to the last level; kept is what tells affordances apart, for the original
description is kept anyway. Source: W3C TD 1.1, section 5.3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from registry.formats.td.language import Label, read_label, read_types
from registry.formats.td.node import Node
from registry.formats.td.refusal import shown

TYPES = frozenset({"boolean", "integer", "number", "string", "object", "array", "null"})
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


@dataclass(frozen=True, slots=True)
class DataSchema:
    """The outside of a data schema; `kind` is its JSON type."""

    kind: str | None
    unit: str | None
    read_only: bool
    write_only: bool
    label: Label
    types: tuple[str, ...]


def read_schema(node: Node) -> DataSchema:
    """A data schema; refuses one that no value could satisfy, as far as type and values say so."""
    for name, place in node.entries():
        if name in _MEMBERS:
            _MEMBERS[name](place)
    kind = node.value.get("type")
    _check_values_have_type(node, kind)
    _check_bounds_have_type(node, kind)
    _remark(node, kind)
    return DataSchema(
        kind=kind,
        unit=node.value.get("unit"),
        read_only=node.value.get("readOnly", False),
        write_only=node.value.get("writeOnly", False),
        label=read_label(node),
        types=read_types(node),
    )


def read_schema_map(node: Node) -> Mapping[str, DataSchema]:
    """Data schemas by name."""
    return {name: read_schema(place) for name, place in node.entries()}


def _schemas(node: Node) -> None:
    for place in node.elements():
        read_schema(place)


def _items(node: Node) -> None:
    if isinstance(node.value, list):
        _schemas(node)
    else:
        read_schema(node)


def _kind(node: Node) -> None:
    node.choice(TYPES)


def _multiple(node: Node) -> None:
    if node.number() <= 0:
        node.refuse(f"is {shown(node.value)}, not above 0", "Write a number above 0")


def _required(node: Node) -> None:
    for place in node.elements():
        place.string()


def _enum(node: Node) -> None:
    seen = set()
    for place in node.some_elements():
        key = _identity(place.value)
        if key in seen:
            place.refuse(f"is {shown(place.value)}, which stands there already", "List it once")
        seen.add(key)


_MEMBERS: Mapping[str, Callable[[Node], object]] = {
    "type": _kind,
    "readOnly": Node.boolean,
    "writeOnly": Node.boolean,
    "unit": Node.string,
    "format": Node.string,
    "pattern": Node.string,
    "contentEncoding": Node.string,
    "contentMediaType": Node.string,
    "enum": _enum,
    "oneOf": _schemas,
    "items": _items,
    "properties": read_schema_map,
    "required": _required,
    "minItems": Node.unsigned,
    "maxItems": Node.unsigned,
    "minLength": Node.unsigned,
    "maxLength": Node.unsigned,
    "minimum": Node.number,
    "maximum": Node.number,
    "exclusiveMinimum": Node.number,
    "exclusiveMaximum": Node.number,
    "multipleOf": _multiple,
}


def _identity(value: Any) -> Any:
    """A key under which two JSON values are equal exactly where JSON has them equal."""
    if isinstance(value, dict):
        return "object", frozenset((name, _identity(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return "array", tuple(_identity(inner) for inner in value)
    return isinstance(value, bool), value


def _check_values_have_type(node: Node, kind: str | None) -> None:
    if kind is None:
        return
    if "const" in node.value and not _is_of(kind, node.value["const"]):
        node.member("const").refuse(
            f"is {shown(node.value['const'])}, no {kind}", f"Give a {kind}, or mend the type"
        )
    values = node.value.get("enum", ())
    if values and not any(_is_of(kind, value) for value in values):
        node.member("enum").refuse(
            f"has no {kind} in it, so no value fits", f"Give values that are {kind}, or mend type"
        )


def _is_of(kind: str, value: Any) -> bool:
    if kind == "integer":
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "null":
        return value is None
    return isinstance(value, _PYTHON[kind])


_LIMITS = (("minimum", "maximum"), ("minItems", "maxItems"), ("minLength", "maxLength"))
_PYTHON: Mapping[str, type] = {"boolean": bool, "string": str, "object": dict, "array": list}


def _check_bounds_have_type(node: Node, kind: str | None) -> None:
    """The bounds of an integer are integers (section 5.3.2.5)."""
    if kind == "integer":
        for name in BOUNDS:
            node.optional(name, Node.integer)


def _remark(node: Node, kind: str | None) -> None:
    schema = node.value
    values = [_identity(value) for value in schema.get("enum", ())]
    if values and "const" in schema and _identity(schema["const"]) not in values:
        node.remark("has a const that its enum does not list, so no value fits")
    if kind == "array" and "items" not in schema:
        node.remark("is an array without items: what stands in it is not said")
    if kind == "object" and "properties" not in schema:
        node.remark("is an object without properties: what stands in it is not said")
    for least, most in _LIMITS:
        if least in schema and most in schema and schema[least] > schema[most]:
            node.remark(f"has a {least} above its {most}, so no value fits")
    if schema.get("readOnly") and schema.get("writeOnly"):
        node.remark("is read-only and write-only at once")
