"""One value of a description together with where it stands, so that a refusal can say where."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from registry.formats.td_terms import Terms

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# The largest integer that every JSON reader keeps exact (RFC 8259, section 6).
_MAX_INTEGER = 2**53 - 1
_MAX_NAME = 120


class DescriptionError(ValueError):
    """A description is refused. `pointer` is a JSON pointer (RFC 6901); empty for the whole."""

    def __init__(self, pointer: str, problem: str) -> None:
        self.pointer = pointer
        self.problem = problem
        super().__init__(f"{pointer or 'the description'} {problem}")


class Node:
    """A JSON value, its pointer, and the terms of its document."""

    def __init__(self, value: Any, pointer: str, terms: Terms) -> None:
        # JSON-LD may write a plain value as a value object.
        plain = isinstance(value, dict) and "@value" in value
        self.value = value["@value"] if plain else value
        self.pointer = pointer
        self.terms = terms

    def refuse(self, problem: str) -> NoReturn:
        """Raise DescriptionError for this place."""
        raise DescriptionError(self.pointer, problem)

    def member(self, key: str) -> Node:
        """The value under a key that is known to be there."""
        escaped = key.replace("~", "~0").replace("/", "~1")
        return Node(self.value[key], f"{self.pointer}/{escaped}", self.terms)

    def members(self) -> Iterator[tuple[str, Node]]:
        """Every name with its value, JSON-LD keywords left out; foreign names stay as they are."""
        if not isinstance(self.value, dict):
            self.refuse("is not an object")
        for key in self.value:
            if not _is_name(key, _MAX_NAME):
                self.refuse(f"has a name that is empty, unprintable or over {_MAX_NAME} characters")
            if not key.startswith("@"):
                yield self.terms.local_name(key) or key, self.member(key)

    def items(self) -> Iterator[Node]:
        """The elements; JSON-LD may write an array of one as its element."""
        if not isinstance(self.value, list):
            yield self
            return
        for index, value in enumerate(self.value):
            yield Node(value, f"{self.pointer}/{index}", self.terms)

    def term(self, name: str) -> Node | None:
        """The value of one of our terms, however its key is written; None where it is not given."""
        if not isinstance(self.value, dict):
            self.refuse("is not an object")
        keys = [key for key in self.value if self.terms.local_name(key) == name]
        if len(keys) > 1:
            self.refuse(f"says {name} twice, as {keys[0]} and as {keys[1]}")
        found = self.member(keys[0]) if keys else None
        return None if found is None or found.value is None else found

    def required(self, name: str) -> Node:
        """The value of one of our terms, or a refusal that names it."""
        found = self.term(name)
        if found is None:
            self.refuse(f"lacks {name}")
        return found

    def text(self, length: int) -> str:
        """A printable text of at most `length` characters."""
        if not _is_name(self.value, length):
            self.refuse(f"is not a text of 1 to {length} printable characters")
        return str(self.value)

    def slug(self, length: int) -> str:
        """A word of letters, digits, hyphens and underscores."""
        word = self.text(length)
        if not _SLUG.fullmatch(word):
            self.refuse(f"is {word!r}, not a word of letters, digits, - and _")
        return word

    def size(self) -> int:
        """A whole number of bytes, 0 or more."""
        return self._integer(0)

    def count(self) -> int:
        """A whole number, 1 or more."""
        return self._integer(1)

    def rate(self) -> float:
        """A number of hertz above zero."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"is {_shown(value)}, not a number of hertz")
        if not 0 < value <= _MAX_INTEGER or not math.isfinite(value):
            self.refuse(f"is {_shown(value)}, not a number of hertz above 0")
        return float(value)

    def _integer(self, least: int) -> int:
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(f"is {_shown(value)}, not a whole number")
        if not least <= value <= _MAX_INTEGER:
            self.refuse(f"is {_shown(value)}, not a whole number from {least} to 2^53 - 1")
        return value


def _is_name(value: Any, length: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= length and value.isprintable()


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
