"""Reading a W3C Thing Description: bytes in, frozen facts out.

The description is JSON-LD, but no remote context is ever fetched. What TD 1.1 (and, for documents
of that edition, TD 1.0) demands is held, beyond what W3C's JSON Schema can say; terms of other
vocabularies are tolerated and left alone, and our own say what a device can do.

Source: W3C, Web of Things (WoT) Thing Description 1.1, Recommendation of 5 December 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

from registry.formats.td.capacity import (
    DeclaredCapacity,
    DeclaredFirmware,
    DeclaredRuntime,
    read_capacity,
)
from registry.formats.td.context import Terms, read_context
from registry.formats.td.document import read_document
from registry.formats.td.node import Node, Reading
from registry.formats.td.refusal import DescriptionError, DescriptionLimits, Remark
from registry.formats.td.registration import Lifetime, read_lifetime
from registry.formats.td.thing import ThingDescription, read_thing

__all__ = [
    "DeclaredCapacity",
    "DeclaredFirmware",
    "DeclaredRuntime",
    "DescriptionError",
    "DescriptionLimits",
    "DeviceDescription",
    "Lifetime",
    "Remark",
    "ThingDescription",
    "parse_description",
    "parse_thing",
]


@dataclass(frozen=True, slots=True)
class DeviceDescription:
    """What a Thing Description says in W3C's terms and in ours, and what is odd about it.

    `lifetime` is how long it wants to be registered in a directory.
    """

    thing: ThingDescription
    capacity: DeclaredCapacity
    lifetime: Lifetime = Lifetime()
    remarks: tuple[Remark, ...] = ()


def parse_description(payload: bytes, limits: DescriptionLimits) -> DeviceDescription:
    """The facts in a Thing Description, or DescriptionError: what is wrong, where, how to mend."""
    root = _root(payload, limits)
    thing = read_thing(root, limits.max_affordances)
    capacity, lifetime = read_capacity(root), read_lifetime(root)
    return DeviceDescription(thing, capacity, lifetime, tuple(root.reading.remarks))


def parse_thing(payload: bytes, limits: DescriptionLimits) -> ThingDescription:
    """As `parse_description`, but only what is said in W3C's own terms."""
    return read_thing(_root(payload, limits), limits.max_affordances)


def _root(payload: bytes, limits: DescriptionLimits) -> Node:
    document = read_document(payload, limits)
    bare = Node(document, Reading(Terms({})))
    terms = bare.required("@context", lambda node: read_context(node.value))
    return Node(document, Reading(terms))
