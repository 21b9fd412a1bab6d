"""The part of JSON-LD that finds our terms: prefixes, terms and the vocabulary of a context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ontology.namespaces import PREFIXES

NAMESPACE = PREFIXES["tf"]
_MAX_STEPS = 8  # a term may be defined by a prefix that is defined by another; no real one goes on


@dataclass(frozen=True, slots=True)
class Terms:
    """What a description's own context says its keys mean."""

    definitions: Mapping[str, str]
    vocabulary: str | None = None

    @classmethod
    def of_context(cls, context: Any) -> Terms:
        """Gather the local definitions, later over earlier; remote contexts stay unread."""
        definitions: dict[str, str] = {}
        vocabulary: str | None = None
        for part in context if isinstance(context, list) else [context]:
            for key, value in part.items() if isinstance(part, dict) else ():
                target = value.get("@id") if isinstance(value, dict) else value
                if key == "@vocab":
                    vocabulary = target if isinstance(target, str) else None
                elif isinstance(target, str):
                    definitions[key] = target
        return cls(definitions, vocabulary)

    def local_name(self, key: str) -> str | None:
        """The name within our namespace that a key stands for, or None for a foreign key."""
        iri = self._expand(key)
        name = iri.removeprefix(NAMESPACE)
        return name if name and name != iri else None

    def _expand(self, key: str) -> str:
        iri = key
        for _ in range(_MAX_STEPS):
            wider = self._expand_once(iri)
            if wider == iri:
                break
            iri = wider
        if ":" not in iri and self.vocabulary is not None and not iri.startswith("@"):
            return self.vocabulary + iri
        return iri

    def _expand_once(self, key: str) -> str:
        if key in self.definitions:
            return self.definitions[key]
        prefix, colon, rest = key.partition(":")
        # JSON-LD 1.1, section 3.2: what starts with // after the colon is an IRI, never a prefix.
        if colon and prefix in self.definitions and not rest.startswith("//"):
            return self.definitions[prefix] + rest
        return key
