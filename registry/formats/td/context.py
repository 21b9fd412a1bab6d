"""The `@context` of a description: which edition it follows, and what its own terms mean.

No remote context is ever read. Of the two that W3C fixed, the prefixes are known here; of others,
only that they are named.

Sources: W3C TD 1.1, section 5.3.1.1 (order of the contexts); JSON-LD 1.1, sections 3 and 9.15.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ontology.namespaces import PREFIXES
from registry.formats.td.grammar import is_iri_reference, is_language_tag
from registry.formats.td.refusal import DescriptionError, escaped, shown

TD_1_1 = "https://www.w3.org/2022/wot/td/v1.1"
TD_1_0 = "https://www.w3.org/2019/wot/td/v1"
NAMESPACE = PREFIXES["tf"]
# The prefixes that the TD 1.1 context itself defines (w3c/wot-thing-description,
# context/td-context-1.1.jsonld).
_TD_PREFIXES: Mapping[str, str] = {
    "td": "https://www.w3.org/2019/wot/td#",
    "jsonschema": "https://www.w3.org/2019/wot/json-schema#",
    "wotsec": "https://www.w3.org/2019/wot/security#",
    "hctl": "https://www.w3.org/2019/wot/hypermedia#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dct": "http://purl.org/dc/terms/",
    "htv": "http://www.w3.org/2011/http#",
    "tm": "https://www.w3.org/2019/wot/tm#",
}
_TD_TYPES = frozenset({"Thing"})  # the bare names that descriptions use of the TD vocabulary
_MAX_STEPS = 8  # a term may be defined by a prefix that is defined by another; no real one goes on
# Longer ones mean nothing to anybody, and a prefix makes many of a few letters.
_MAX_IRI = 300
_ABSOLUTE = ("http://", "https://", "urn:")


def _text_or_null(value: Any) -> bool:
    return value is None or isinstance(value, str)


_KEYWORDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "@language": (
        lambda value: value is None or (isinstance(value, str) and is_language_tag(value)),
        "a language tag such as de-AT",
    ),
    "@direction": (lambda value: value in ("ltr", "rtl", None), '"ltr", "rtl" or null'),
    "@vocab": (_text_or_null, "an IRI or null"),
    "@base": (_text_or_null, "an IRI or null"),
    "@import": (lambda value: isinstance(value, str), "an IRI"),
    "@version": (lambda value: value == 1.1, "1.1"),
    "@propagate": (lambda value: isinstance(value, bool), "true or false"),
    "@protected": (lambda value: isinstance(value, bool), "true or false"),
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What a description's own context says its keys mean.

    `foreign` says that it names further remote contexts, whose terms nobody here knows.
    """

    definitions: Mapping[str, str]
    vocabulary: str | None = None
    language: str | None = None
    edition: str = TD_1_1
    foreign: bool = False

    def local_name(self, key: str) -> str | None:
        """The name within our namespace that a key stands for, or None for a foreign key."""
        iri = self._in_vocabulary(self._expand(key))
        name = iri.removeprefix(NAMESPACE)
        return name if name and name != iri else None

    def type_iri(self, name: str) -> str | None:
        """The IRI that a semantic type stands for; None where only an unread context says."""
        iri = self._type_iri(name)
        return None if iri is None or len(iri) > _MAX_IRI else iri

    def _type_iri(self, name: str) -> str | None:
        iri = self._expand(name)
        prefix, colon, rest = iri.partition(":")
        if colon and prefix in _TD_PREFIXES and not rest.startswith("//"):
            return _TD_PREFIXES[prefix] + rest
        if iri in _TD_TYPES and self.vocabulary is None:
            return _TD_PREFIXES["td"] + iri
        iri = self._in_vocabulary(iri)
        return iri if iri.startswith(_ABSOLUTE) and is_iri_reference(iri) else None

    def has_prefix(self, name: str) -> bool:
        """Whether the prefix of a name such as ace:Scheme is defined, or the name is an IRI."""
        prefix = name.partition(":")[0]
        known = prefix in self.definitions or prefix in _TD_PREFIXES
        return known or name.startswith(_ABSOLUTE)

    def _in_vocabulary(self, iri: str) -> str:
        if ":" not in iri and self.vocabulary is not None and not iri.startswith("@"):
            return self.vocabulary + iri
        return iri

    def _expand(self, key: str) -> str:
        iri = key
        for _ in range(_MAX_STEPS):
            wider = self._expand_once(iri)
            if wider == iri:
                break
            iri = wider
        return iri

    def _expand_once(self, key: str) -> str:
        if key in self.definitions:
            return self.definitions[key]
        prefix, colon, rest = key.partition(":")
        # JSON-LD 1.1, section 3.2: what starts with // after the colon is an IRI, never a prefix.
        if colon and prefix in self.definitions and not rest.startswith("//"):
            return self.definitions[prefix] + rest
        return key


def read_context(context: Any) -> Terms:
    """The terms of a description's `@context`, later definitions over earlier ones.

    Raises DescriptionError where it is no context of a Thing Description.
    """
    parts = context if isinstance(context, list) else [context]
    edition = _edition(parts)
    definitions: dict[str, str] = {}
    keywords: dict[str, str | None] = {}
    for pointer, part in _maps(context):
        for name, value in part.items():
            place = f"{pointer}/{escaped(name)}"
            if name.startswith("@"):
                keywords[name] = _keyword(name, value, place)
            elif (target := _target(value, place)) is not None:
                definitions[name] = _bounded(target)
    return Terms(
        definitions,
        _bounded(keywords.get("@vocab") or "") or None,
        keywords.get("@language"),
        edition,
        foreign="@import" in keywords or any(_is_foreign(part) for part in parts),
    )


def _bounded(iri: str) -> str:
    """Nothing in place of what is too long to stand for anything."""
    return iri if len(iri) <= _MAX_IRI else ""


def _is_foreign(part: Any) -> bool:
    return isinstance(part, str) and part not in (TD_1_0, TD_1_1)


def _edition(parts: list[Any]) -> str:
    """1.1 stands first, or second after 1.0 for readers of 1.0; 1.0 may stand alone."""
    first, rest = (parts[0], parts[1:]) if parts else (None, [])
    remedy = f"Begin it with {TD_1_1}, or with {TD_1_0} and then {TD_1_1}"
    if first == TD_1_1 and TD_1_0 not in rest:
        return TD_1_1
    if first == TD_1_0 and TD_1_1 not in rest:
        return TD_1_0
    if first == TD_1_0 and rest[0] == TD_1_1:
        return TD_1_1
    named = first in (TD_1_0, TD_1_1)
    problem = "has the contexts of Thing Descriptions in the wrong order"
    if not named:
        problem = "does not begin with the context of Thing Descriptions"
    raise DescriptionError("/@context", problem, remedy)


def _maps(context: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The local definitions with their places; every other part must be an IRI."""
    if not isinstance(context, list):
        return
    for index, part in enumerate(context):
        pointer = f"/@context/{index}"
        if isinstance(part, dict):
            yield pointer, part
        elif not isinstance(part, str) or not part or not is_iri_reference(part):
            problem = f"is {shown(part)}, neither an IRI nor an object of terms"
            raise DescriptionError(pointer, problem, "Name a context, or define terms in an object")


def _keyword(name: str, value: Any, pointer: str) -> str | None:
    if name not in _KEYWORDS:
        problem = "is no keyword that a JSON-LD context may have"
        raise DescriptionError(pointer, problem, "Leave it out, or give the term another name")
    is_right, wanted = _KEYWORDS[name]
    if not is_right(value):
        raise DescriptionError(pointer, f"is {shown(value)}, not {wanted}", f"Write {wanted}")
    return value if isinstance(value, str) else None


def _target(value: Any, pointer: str) -> str | None:
    """What a term is defined as; None where the context takes its meaning away or names none."""
    target = value.get("@id") if isinstance(value, dict) else value
    if target is not None and not isinstance(target, str):
        problem = f"is {shown(value)}, not the IRI that a term or prefix stands for"
        raise DescriptionError(pointer, problem, "Give the namespace as a text")
    return target
