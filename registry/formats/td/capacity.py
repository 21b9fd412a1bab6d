"""Our own terms in a description: board, firmware, capacity.

They are found by the prefix that the description itself declares for our namespace, whatever it is
called, by terms that it defines, or by their full IRIs. Source: JSON-LD 1.1, section 3.1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ontology.facts import Sensor
from registry.formats.td.node import Node, Reading
from registry.formats.td.refusal import shown

NAME_LENGTH = 80
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# The largest integer that every JSON reader keeps exact (RFC 8259, section 6).
_MAX_INTEGER = 2**53 - 1
_MAX_NAME = 120


@dataclass(frozen=True, slots=True)
class DeclaredRuntime:
    """The interpreter that a firmware says it holds."""

    name: str
    version: str = ""
    kernels: str = ""


@dataclass(frozen=True, slots=True)
class DeclaredFirmware:
    """The image that a device says it runs, with the capacity that it declares. Sizes are bytes."""

    name: str
    version: str
    runtime: DeclaredRuntime
    arena_budget_bytes: int | None = None
    slot_bytes: int | None = None
    operators: Mapping[str, int] | None = None
    dtypes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class DeclaredCapacity:
    """What a description says in our terms. None means that it does not say.

    `board_pointer` is where the board stands, for a refusal by who knows the boards.
    """

    board: str | None = None
    board_pointer: str = ""
    firmware: DeclaredFirmware | None = None
    sensors: tuple[Sensor, ...] | None = None


def read_capacity(root: Node) -> DeclaredCapacity:
    """Board, firmware and capacity; a capacity belongs to a firmware build, and that to a board."""
    here = TermNode(root.value, root.reading)
    board, capacity, firmware = (here.term(name) for name in ("board", "capacity", "firmware"))
    if capacity is None and firmware is None:
        return DeclaredCapacity(*_board(board)) if board else DeclaredCapacity()
    if board is None:
        root.refuse(
            "declares a capacity or firmware, but no board that it belongs to",
            "Add the board, by its slug in the catalogue",
        )
    if capacity is None or firmware is None:
        missing = "capacity" if capacity is None else "firmware"
        root.refuse(
            f"lacks {missing}: a capacity belongs to a firmware build, and a build has one",
            f"Add {missing}",
        )
    return DeclaredCapacity(*_board(board), _firmware(firmware, capacity), _sensors(capacity))


class TermNode(Node):
    """A value that is read as JSON-LD: terms by their meaning, plain values as value objects."""

    __slots__ = ()

    def __init__(
        self, value: Any, reading: Reading, above: Node | None = None, step: str | int = ""
    ) -> None:
        plain = isinstance(value, dict) and "@value" in value
        super().__init__(value["@value"] if plain else value, reading, above, step)

    def inner(self, name: str) -> TermNode:
        """The value under a name that is known to be there."""
        return TermNode(self.value[name], self.reading, self, name)

    def names(self) -> Iterator[tuple[str, TermNode]]:
        """Every name with its value, JSON-LD keywords left out; foreign names stay as they are."""
        for key in self.object():
            if not _is_name(key, _MAX_NAME):
                self.refuse(
                    f"has a name that is empty, unprintable or over {_MAX_NAME} characters",
                    "Write the name as the runtime has it",
                )
            if not key.startswith("@"):
                yield self.reading.terms.local_name(key) or key, self.inner(key)

    def items(self) -> Iterator[TermNode]:
        """The elements; JSON-LD may write an array of one as its element."""
        if not isinstance(self.value, list):
            yield self
            return
        for index, value in enumerate(self.value):
            yield TermNode(value, self.reading, self, index)

    def term(self, name: str) -> TermNode | None:
        """The value of one of our terms, however its key is written; None where it is not given."""
        local_name = self.reading.terms.local_name
        keys = [key for key in self.object() if local_name(key) == name]
        if len(keys) > 1:
            self.refuse(
                f"says {name} twice, as {shown(keys[0])} and as {shown(keys[1])}",
                "Keep one of them",
            )
        found = self.inner(keys[0]) if keys else None
        return None if found is None or found.value is None else found

    def needed(self, name: str) -> TermNode:
        """The value of one of our terms, or a refusal that names it."""
        found = self.term(name)
        if found is None:
            self.refuse(f"lacks {name}", f"Add {name}")
        return found

    def text(self, length: int) -> str:
        """A printable text of at most `length` characters."""
        if not _is_name(self.value, length):
            self.refuse(f"is not a text of 1 to {length} printable characters", "Write such a text")
        return str(self.value)

    def slug(self, length: int) -> str:
        """A word of letters, digits, hyphens and underscores."""
        word = self.text(length)
        if not _SLUG.fullmatch(word):
            self.refuse(
                f"is {shown(word)}, not a word of letters, digits, - and _", "Write such a word"
            )
        return word

    def count(self, least: int = 1) -> int:
        """A whole number, `least` or more."""
        value = self.integer()
        if not least <= value <= _MAX_INTEGER:
            self.refuse(
                f"is {shown(value)}, not a whole number from {least} to 2^53 - 1",
                "Write a number in that range",
            )
        return value

    def rate(self) -> float:
        """A number of hertz above zero."""
        value = self.number()
        if not 0 < value <= _MAX_INTEGER or not math.isfinite(value):
            self.refuse(f"is {shown(value)}, not a number of hertz above 0", "Write such a number")
        return float(value)


def _board(node: TermNode) -> tuple[str, str]:
    return node.text(NAME_LENGTH), node.pointer


def _firmware(firmware: TermNode, capacity: TermNode) -> DeclaredFirmware:
    operators, dtypes = capacity.term("operators"), capacity.term("dtypes")
    arena, slot = capacity.term("arenaBudgetBytes"), capacity.term("slotBytes")
    return DeclaredFirmware(
        name=firmware.needed("name").text(NAME_LENGTH),
        version=firmware.needed("version").text(40),
        runtime=_runtime(capacity.needed("runtime")),
        arena_budget_bytes=arena.count(least=0) if arena else None,
        slot_bytes=slot.count(least=0) if slot else None,
        operators=_operators(operators) if operators else None,
        dtypes=_dtypes(dtypes) if dtypes else None,
    )


def _runtime(node: TermNode) -> DeclaredRuntime:
    version, kernels = node.term("version"), node.term("kernels")
    return DeclaredRuntime(
        name=node.needed("name").slug(60),
        version=version.text(60) if version else "",
        kernels=kernels.slug(40) if kernels else "",
    )


def _operators(node: TermNode) -> dict[str, int]:
    """Operator names are kept as they come: a firmware may link some that no schema knows."""
    return {name: version.count() for name, version in node.names()}


def _dtypes(node: TermNode) -> tuple[str, ...]:
    return tuple(sorted({item.slug(20).lower() for item in node.items()}))


def _sensors(capacity: TermNode) -> tuple[Sensor, ...] | None:
    node = capacity.term("sensors")
    return None if node is None else tuple(_sensor(item) for item in node.items())


def _sensor(node: TermNode) -> Sensor:
    rate, shape = node.term("maxRateHz"), node.term("shape")
    return Sensor(
        kind=node.needed("kind").slug(40),
        max_rate_hz=rate.rate() if rate else None,
        shape=tuple(length.count() for length in shape.items()) if shape else None,
    )


def _is_name(value: Any, length: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= length and value.isprintable()
