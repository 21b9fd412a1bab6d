"""How a description is refused, remarked on, and bounded."""

from __future__ import annotations

from dataclasses import dataclass

_SHOWN_POINTER = 200
_SHOWN_VALUE = 40


class DescriptionError(ValueError):
    """A description is refused: what is wrong, where, and how to mend it.

    `pointer` is a JSON pointer (RFC 6901); empty for the whole document.
    """

    def __init__(self, pointer: str, problem: str, remedy: str) -> None:
        self.pointer = pointer
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{shown_pointer(pointer)} {problem}. {remedy}.")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something in an accepted description that its author may not have meant."""

    pointer: str
    problem: str

    def __str__(self) -> str:
        return f"{shown_pointer(self.pointer)} {self.problem}"


@dataclass(frozen=True, slots=True)
class DescriptionLimits:
    """What one description may take: bytes, levels of nesting, and affordances of all kinds."""

    max_bytes: int
    max_depth: int
    max_affordances: int


def escaped(name: str) -> str:
    """A member's name as a step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def shown_pointer(pointer: str) -> str:
    """A pointer for people: names in it are foreign, so it is kept printable and short."""
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in pointer)
    text = text if len(text) <= _SHOWN_POINTER else f"{text[:_SHOWN_POINTER]}..."
    return text or "the description"


def shown(value: object) -> str:
    """A value for people, printable and short."""
    text = repr(value[: 2 * _SHOWN_VALUE] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN_VALUE else f"{text[: _SHOWN_VALUE - 3]}..."
