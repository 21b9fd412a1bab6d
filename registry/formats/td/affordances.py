"""Properties, actions and events: what one can do with a thing.

Source: W3C TD 1.1, sections 5.3.1.2 to 5.3.1.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from registry.formats.td.forms import ACTION, EVENT, Form, Names, property_operations, read_forms
from registry.formats.td.language import Label, read_label, read_types
from registry.formats.td.node import Node
from registry.formats.td.refusal import shown
from registry.formats.td.schemas import DataSchema, read_schema, read_schema_map


class AffordanceKind(StrEnum):
    """The three kinds, by the member of a description that holds them."""

    PROPERTY = "properties"
    ACTION = "actions"
    EVENT = "events"


@dataclass(frozen=True, slots=True)
class Affordance:
    """One property, action or event; `schema` is of what it holds, takes or tells."""

    kind: AffordanceKind
    name: str
    label: Label
    types: tuple[str, ...]
    forms: tuple[Form, ...]
    schema: DataSchema | None = None
    observable: bool = False

    @property
    def operations(self) -> frozenset[str]:
        """All that its forms are for."""
        return frozenset(name for form in self.forms for name in form.operations)


def read_affordances(root: Node, names: Names) -> tuple[Affordance, ...]:
    """Every affordance of a thing, by kind and in the order of the document."""
    found: list[Affordance] = []
    for kind in AffordanceKind:
        if kind in root.object():
            found += [
                _READERS[kind](name, place, names) for name, place in root.member(kind).entries()
            ]
    return tuple(found)


def count_affordances(root: Node) -> int:
    """How many there are, before any is read."""
    return sum(len(root.member(kind).object()) for kind in AffordanceKind if kind in root.object())


def read_uri_variables(node: Node, names: Names) -> Names:
    """The names with those of `uriVariables`, which are single values with names of their own."""
    declared = node.optional("uriVariables", read_schema_map) or {}
    for name, schema in declared.items():
        place = node.member("uriVariables").member(name)
        if schema.kind in ("object", "array"):
            place.refuse(
                f"is an {schema.kind}, which no IRI can hold",
                "Declare a variable for each single value",
            )
        if name in names.security.keys:
            place.refuse("is declared by a security scheme as well", "Give it another name")
    return names.with_variables(declared)


def _property(name: str, node: Node, names: Names) -> Affordance:
    schema = read_schema(node)
    observable = node.optional("observable", Node.boolean)
    operations = property_operations(schema.read_only, schema.write_only)
    names = read_uri_variables(node, names)
    forms = node.required("forms", lambda place: read_forms(place, operations, names))
    found = Affordance(
        AffordanceKind.PROPERTY, name, schema.label, schema.types, forms, schema, bool(observable)
    )
    if schema.read_only and "writeproperty" in found.operations:
        node.remark("is read-only, and yet a form is for writing it")
    if schema.write_only and "readproperty" in found.operations:
        node.remark("is write-only, and yet a form is for reading it")
    return found


def _action(name: str, node: Node, names: Names) -> Affordance:
    for flag in ("safe", "idempotent", "synchronous"):
        node.optional(flag, Node.boolean)
    schemas = _schemas(node, "input", "output")
    names = read_uri_variables(node, names)
    forms = node.required("forms", lambda place: read_forms(place, ACTION, names))
    label, types = read_label(node), read_types(node)
    return Affordance(AffordanceKind.ACTION, name, label, types, forms, schemas.get("input"))


def _event(name: str, node: Node, names: Names) -> Affordance:
    schemas = _schemas(node, "subscription", "data", "dataResponse", "cancellation")
    names = read_uri_variables(node, names)
    forms = node.required("forms", lambda place: read_forms(place, EVENT, names))
    label, types = read_label(node), read_types(node)
    return Affordance(AffordanceKind.EVENT, name, label, types, forms, schemas.get("data"))


def _schemas(node: Node, *members: str) -> Mapping[str, DataSchema]:
    return {
        name: schema for name in members if (schema := node.optional(name, read_schema)) is not None
    }


_READERS = {
    AffordanceKind.PROPERTY: _property,
    AffordanceKind.ACTION: _action,
    AffordanceKind.EVENT: _event,
}


def check_count(root: Node, most: int) -> None:
    """Refuse a thing with more affordances than `most`, before any of them is read."""
    number = count_affordances(root)
    if number > most:
        root.refuse(
            f"has {shown(number)} properties, actions and events, more than the {most} allowed",
            "Describe parts as things of their own, or raise TINYFLEET_DESCRIPTION_MAX_AFFORDANCES",
        )
