"""The thing itself: who it is, what it offers, how it is reached.

Source: W3C TD 1.1, section 5.3.1.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from registry.formats.td.affordances import (
    Affordance,
    check_count,
    read_affordances,
    read_uri_variables,
)
from registry.formats.td.context import Terms
from registry.formats.td.forms import Form, Names, read_forms, thing_operations
from registry.formats.td.grammar import is_language_tag
from registry.formats.td.language import Label, read_label, read_types
from registry.formats.td.node import Node
from registry.formats.td.parts import Part, read_parts
from registry.formats.td.refusal import shown
from registry.formats.td.schemas import read_schema_map
from registry.formats.td.security import SecurityScheme, read_definitions, read_names

MODEL_MEDIA_TYPE = "application/tm+json"
_SIZES = re.compile(r"\d*x\d+(?:\s+\d*x\d+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Link:
    """A link to something that has to do with the thing."""

    href: str
    relation: str | None
    media_type: str | None


@dataclass(frozen=True, slots=True)
class ThingDescription:
    """What a Thing Description says in W3C's own terms. `id` is None where it has none."""

    id: str | None
    title: str
    terms: Terms
    label: Label
    types: tuple[str, ...]
    affordances: tuple[Affordance, ...]
    forms: tuple[Form, ...]
    links: tuple[Link, ...]
    schemes: Mapping[str, SecurityScheme]
    security: tuple[str, ...]
    base: str | None
    support: str | None
    parts: tuple[Part, ...]
    version: str | None
    created: str | None
    modified: str | None


def read_thing(root: Node, most_affordances: int) -> ThingDescription:
    """The thing, or DescriptionError at the first place that breaks a rule."""
    title = root.required("title", Node.string)
    check_count(root, most_affordances)
    definitions = root.required("securityDefinitions", read_definitions)
    active = root.required("security", lambda node: read_names(node, definitions.schemes))
    names = _names(root, Names(definitions, active))
    root.optional("profile", _check_profile)
    return ThingDescription(
        id=root.optional("id", Node.absolute_iri),
        title=title,
        terms=root.reading.terms,
        label=read_label(root),
        types=read_types(root),
        affordances=read_affordances(root, names),
        forms=root.optional("forms", lambda node: read_forms(node, thing_operations(), names))
        or (),
        links=root.optional("links", _links) or (),
        schemes=definitions.schemes,
        security=active,
        base=root.optional("base", Node.template),
        support=root.optional("support", Node.iri_reference),
        parts=read_parts(root),
        version=root.optional("version", _version),
        created=root.optional("created", Node.date_time),
        modified=root.optional("modified", Node.date_time),
    )


def _names(root: Node, names: Names) -> Names:
    schemas = root.optional("schemaDefinitions", read_schema_map)
    if schemas is not None and not schemas:
        root.member("schemaDefinitions").refuse("is empty", "Define a schema, or leave it out")
    names = Names(names.security, names.active, frozenset(schemas or ()))
    return read_uri_variables(root, names)


def _check_profile(node: Node) -> None:
    for place in node.one_or_more():
        place.iri_reference()


def _version(node: Node) -> str:
    node.optional("model", Node.string)
    return node.required("instance", Node.string)


def _links(node: Node) -> tuple[Link, ...]:
    found = tuple(_link(place) for place in node.elements())
    if sum(link.relation == "type" for link in found) > 1:
        node.refuse(
            'has more than one link with the rel "type", so more than one model',
            "Keep the link to the Thing Model that the thing follows",
        )
    return found


def _link(node: Node) -> Link:
    link = Link(
        href=node.required("href", Node.iri_reference),
        relation=node.optional("rel", Node.string),
        media_type=node.optional("type", Node.string),
    )
    node.optional("anchor", Node.iri_reference)
    node.optional("hreflang", _check_languages)
    if link.relation == "tm:extends":
        node.member("rel").refuse("is tm:extends, which only a Thing Model has", "Leave it out")
    if "sizes" in node.value:
        _check_sizes(node, link)
    if link.media_type == MODEL_MEDIA_TYPE:
        node.remark("names a Thing Model, which is not fetched")
    return link


def _check_sizes(node: Node, link: Link) -> None:
    sizes = node.member("sizes")
    if link.relation != "icon":
        sizes.refuse("is given, though the link is no icon", 'Leave it out, or write "rel": "icon"')
    if not _SIZES.fullmatch(sizes.string().strip()):
        sizes.refuse(f"is {shown(sizes.value)}, no sizes of an icon", "Write them as 16x16 32x32")


def _check_languages(node: Node) -> None:
    places = node.elements() if isinstance(node.value, list) else [node]
    for place in places:
        if not is_language_tag(place.string()):
            place.refuse(f"is {shown(place.value)}, no language tag", "Write a tag such as de-AT")
