"""Human-readable texts, in a default language and in others.

Source: W3C TD 1.1, sections 5.3.1.7 (MultiLanguage) and 6.3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from registry.formats.td.grammar import is_language_tag
from registry.formats.td.node import Node
from registry.formats.td.refusal import shown

_THING_MODEL = "https://www.w3.org/2019/wot/tm#ThingModel"


@dataclass(frozen=True, slots=True)
class Text:
    """A text in the document's default language, and the same by language tag."""

    default: str | None = None
    translations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Label:
    """How a thing, an affordance or a schema is called and described."""

    title: Text
    description: Text


def read_label(node: Node) -> Label:
    """`title`, `titles`, `description` and `descriptions` of an object."""
    return Label(_text(node, "title"), read_description(node))


def read_description(node: Node) -> Text:
    """`description` and `descriptions` of an object that has no title of its own."""
    return _text(node, "description")


def _text(node: Node, name: str) -> Text:
    translations = node.optional(f"{name}s", _translations)
    default = node.optional(name, Node.string)
    return Text(default, {} if translations is None else translations)


def _translations(node: Node) -> Mapping[str, str]:
    for name in node.object():
        if not is_language_tag(name):
            node.refuse(
                f"has the member {shown(name)}, no language tag",
                "Name each text by its BCP 47 language tag, such as en or zh-Hans",
            )
    return {name: place.string() for name, place in node.entries()}


def read_types(node: Node) -> tuple[str, ...]:
    """`@type`: semantic types as they are written."""
    return node.optional("@type", _types) or ()


def _types(node: Node) -> tuple[str, ...]:
    types = node.strings()
    if any(node.reading.terms.type_iri(name) == _THING_MODEL for name in types):
        node.refuse(
            "is that of a Thing Model, not of one thing",
            "Make a Thing Description from the model and bring that",
        )
    return types
