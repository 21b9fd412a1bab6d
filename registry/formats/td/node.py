"""One value of a description together with where it stands, so that a refusal can say where."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from registry.formats.td.context import Terms
from registry.formats.td.grammar import (
    is_absolute_iri,
    is_date_time,
    is_iri_reference,
    template_variables,
)
from registry.formats.td.refusal import DescriptionError, Remark, escaped, shown

T = TypeVar("T")

MAX_REMARKS = 100  # of one description; more tell nobody more


@dataclass(frozen=True, slots=True)
class Reading:
    """What holds for a whole description while it is read; remarks gather in it."""

    terms: Terms
    remarks: list[Remark] = field(default_factory=list)


class Node:
    """A JSON value, its pointer, and the reading that it belongs to."""

    __slots__ = ("value", "reading", "_above", "_step")

    def __init__(
        self, value: Any, reading: Reading, above: Node | None = None, step: str | int = ""
    ) -> None:
        self.value = value
        self.reading = reading
        self._above = above
        self._step = step

    @property
    def pointer(self) -> str:
        """Where the value stands, as a JSON pointer; made when asked, for few ever are."""
        if self._above is None:
            return ""
        return f"{self._above.pointer}/{escaped(str(self._step))}"

    def refuse(self, problem: str, remedy: str) -> NoReturn:
        """Raise DescriptionError for this place."""
        raise DescriptionError(self.pointer, problem, remedy)

    def remark(self, problem: str) -> None:
        """Note what is allowed here but may not be meant."""
        if len(self.reading.remarks) < MAX_REMARKS:
            self.reading.remarks.append(Remark(self.pointer, problem))

    # ------------------------------------------------------------------ objects and arrays

    def object(self) -> dict[str, Any]:
        """The members, or a refusal of what is no object."""
        if not isinstance(self.value, dict):
            self.refuse(f"is {shown(self.value)}, not an object", "Write an object")
        return self.value

    def member(self, name: str) -> Node:
        """The value under a name that is known to be there."""
        return Node(self.value[name], self.reading, self, name)

    def optional(self, name: str, read: Callable[[Node], T]) -> T | None:
        """What a member says; None where it is not given."""
        return read(self.member(name)) if name in self.object() else None

    def required(self, name: str, read: Callable[[Node], T]) -> T:
        """What a member says, or a refusal that names it."""
        if name not in self.object():
            self.refuse(f"lacks {name}", f"Add {name}")
        return read(self.member(name))

    def entries(self) -> list[tuple[str, Node]]:
        """Every member with its name."""
        return [(name, self.member(name)) for name in self.object()]

    def elements(self) -> list[Node]:
        """The elements of an array, or a refusal of what is no array."""
        if not isinstance(self.value, list):
            self.refuse(f"is {shown(self.value)}, not an array", "Write an array")
        return self._places()

    def one_or_more(self) -> list[Node]:
        """The elements of an array, or the value itself where it is no array; never none."""
        if not isinstance(self.value, list):
            return [self]
        return self.some_elements()

    def some_elements(self) -> list[Node]:
        """The elements of an array that must have one."""
        found = self.elements()
        if not found:
            self.refuse("is empty", "Give at least one element, or leave the member out")
        return found

    def _places(self) -> list[Node]:
        return [Node(value, self.reading, self, index) for index, value in enumerate(self.value)]

    # ------------------------------------------------------------------ simple values

    def string(self) -> str:
        """A text."""
        if not isinstance(self.value, str):
            self.refuse(f"is {shown(self.value)}, not a text", "Write a text")
        return self.value

    def strings(self) -> tuple[str, ...]:
        """A text or an array of texts."""
        places = self._places() if isinstance(self.value, list) else [self]
        return tuple(place.string() for place in places)

    def some_strings(self) -> tuple[str, ...]:
        """A text or an array of at least one text."""
        return tuple(place.string() for place in self.one_or_more())

    def choice(self, allowed: Collection[str]) -> str:
        """One of the words that are allowed here."""
        word = self.string()
        if word not in allowed:
            self.refuse(
                f"is {shown(word)}, not one of the words that may stand here",
                f"Write one of {', '.join(sorted(allowed))}",
            )
        return word

    def boolean(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            self.refuse(f"is {shown(self.value)}, not true or false", "Write true or false")
        return self.value

    def number(self) -> int | float:
        """A number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.refuse(f"is {shown(self.value)}, not a number", "Write a number")
        return self.value

    def integer(self) -> int:
        """A whole number, written without fraction and exponent (section 6.1)."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            self.refuse(
                f"is {shown(self.value)}, not a whole number",
                "Write a whole number without fraction and exponent",
            )
        return self.value

    def unsigned(self) -> int:
        """A whole number, 0 or more."""
        if self.integer() < 0:
            self.refuse(f"is {shown(self.value)}, below 0", "Write 0 or more")
        return self.integer()

    # ------------------------------------------------------------------ texts with a grammar

    def iri_reference(self) -> str:
        """An IRI, or a reference relative to the base."""
        text = self.string()
        if not is_iri_reference(text):
            self.refuse(
                f"is {shown(text)}, no IRI",
                "Percent-encode spaces and what else may not stand in an IRI",
            )
        return text

    def absolute_iri(self) -> str:
        """An IRI with its scheme."""
        text = self.iri_reference()
        if not is_absolute_iri(text):
            self.refuse(
                f"is {shown(text)}, no IRI with a scheme",
                "Write an IRI such as urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            )
        return text

    def template(self) -> str:
        """An IRI reference or a URI template."""
        text = self.iri_reference()
        if template_variables(text) is None:
            self.refuse(
                f"is {shown(text)}, no URI template",
                "Write variables as RFC 6570 has them, such as {?from,to}",
            )
        return text

    def date_time(self) -> str:
        """A date and time with its offset from UTC."""
        text = self.string()
        if not is_date_time(text):
            self.refuse(
                f"is {shown(text)}, no date-time of RFC 3339", "Write it as 2026-01-31T12:00:00Z"
            )
        return text
