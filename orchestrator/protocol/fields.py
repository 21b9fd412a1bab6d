"""Reading decoded JSON and CBOR maps member by member, so that a refusal says what and where."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

MAX_COUNT = 2**53 - 1
"""Largest integer in any message: what JSON keeps exactly everywhere (RFC 7493, 2.2)."""

Choice = TypeVar("Choice", bound=StrEnum)


class MessageError(ValueError):
    """A payload that breaks the protocol; `where` is a JSON pointer (RFC 6901), "" for all."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(f"{where or 'payload'}: {what}")
        self.what = what
        self.where = where


class Fields:
    """One decoded map. Extra members are ignored, so that later versions can add some."""

    def __init__(self, members: object, where: str = "", labels: Mapping[str, int] = {}) -> None:
        if not isinstance(members, dict):
            raise MessageError(f"must be a map, not {_name(members)}", where)
        self._members: dict[object, object] = members
        self._by_name = _by_name(members, labels) if labels else members
        self._where = where
        self._labels = labels

    @property
    def in_cbor(self) -> bool:
        """Whether members have integer labels and octets are byte strings."""
        return bool(self._labels)

    def labels(self) -> list[str | int]:
        """The keys of all members, as far as they are texts or numbers."""
        return [label for label in self._members if isinstance(label, str | int)]

    def text_labels(self) -> list[str]:
        """The names of all members that are named by text."""
        return [label for label in self._members if isinstance(label, str)]

    def where(self, name: str | int) -> str:
        """The JSON pointer of a member."""
        return f"{self._where}/{self._key(name)}"

    def error(self, what: str, name: str | int) -> MessageError:
        """An error at a member, for the caller to raise."""
        return MessageError(what, self.where(name))

    def has(self, name: str | int) -> bool:
        """Whether the member is there and not null."""
        return self._by_name.get(name) is not None

    def integer(self, name: str | int, low: int = 0, high: int = MAX_COUNT) -> int:
        """A whole number in low..high; true and 1.0 are none."""
        value = self._present(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(f"must be a whole number, not {_name(value)}", name)
        if not low <= value <= high:
            raise self.error(f"must be between {low} and {high}", name)
        return value

    def number(self, name: str | int, low: float, high: float) -> float:
        """A number in low..high, both finite."""
        value = self._present(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.error(f"must be a number, not {_name(value)}", name)
        if not low <= value <= high:  # NaN fails it too
            raise self.error(f"must be a number between {low:g} and {high:g}", name)
        return float(value)

    def flag(self, name: str | int) -> bool:
        """True or false; 0 and 1 are neither."""
        value = self._present(name)
        if not isinstance(value, bool):
            raise self.error(f"must be true or false, not {_name(value)}", name)
        return value

    def text(self, name: str | int, longest: int, shortest: int = 0) -> str:
        """A text of so many characters."""
        value = self._present(name)
        if not isinstance(value, str):
            raise self.error(f"must be a text, not {_name(value)}", name)
        if not shortest <= len(value) <= longest:
            raise self.error(f"must have {shortest} to {longest} characters", name)
        if "\0" in value:
            raise self.error("must not hold the character U+0000", name)
        return value

    def octets(self, name: str | int, longest: int, shortest: int = 0) -> bytes:
        """A CBOR byte string of so many bytes."""
        value = self._present(name)
        if not isinstance(value, bytes):
            raise self.error(f"must be a byte string, not {_name(value)}", name)
        if not shortest <= len(value) <= longest:
            raise self.error(f"must have {shortest} to {longest} bytes", name)
        return value

    def choice(self, name: str | int, kind: type[Choice]) -> Choice:
        """One of an enumeration's values."""
        value = self.text(name, 40)
        try:
            return kind(value)
        except ValueError as error:
            known = ", ".join(kind)
            raise self.error(f"{value!r} is none of: {known}", name) from error

    def digest(self, name: str | int) -> str:
        """A SHA-256 as 64 lower-case hex digits."""
        value = self.text(name, 64, 64)
        if not set(value) <= set("0123456789abcdef"):
            raise self.error("must be 64 lower-case hex digits", name)
        return value

    def uuid(self, name: str | int) -> UUID:
        """A UUID in its usual form of 36 lower-case characters."""
        value = self.text(name, 36, 36)
        try:
            parsed = UUID(value)
        except ValueError as error:
            raise self.error("is no UUID", name) from error
        if str(parsed) != value:
            raise self.error("must be a UUID in its lower-case form with dashes", name)
        return parsed

    def items(self, name: str | int, longest: int) -> list[object]:
        """A list of at most so many members."""
        value = self._present(name)
        if not isinstance(value, list):
            raise self.error(f"must be a list, not {_name(value)}", name)
        if len(value) > longest:
            raise self.error(f"must have at most {longest} members", name)
        return value

    def _key(self, name: str | int) -> str | int:
        return self._labels.get(name, name) if isinstance(name, str) else name

    def _present(self, name: str | int) -> object:
        if name not in self._by_name:
            raise self.error("is missing", name)
        return self._by_name[name]


def _by_name(members: dict[object, object], labels: Mapping[str, int]) -> dict[object, object]:
    """Members that have a label by its name; others by their own key, if it names no label."""
    named = {name: members[label] for name, label in labels.items() if label in members}
    return {key: member for key, member in members.items() if key not in labels} | named


_NAMES: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    bytes: "a byte string",
    list: "a list",
    dict: "a map",
    type(None): "null",
}


def _name(value: object) -> str:
    return _NAMES.get(type(value), "that")
