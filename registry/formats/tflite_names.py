"""Numbers in a .tflite file as the names that people know: operators, types; and text."""

from __future__ import annotations

import re
from functools import cache

from tflite.BuiltinOperator import BuiltinOperator
from tflite.TensorType import TensorType

from registry.formats.tree import Node

_CUSTOM = 32
# Characters that are orders and not text, without line ends and tabs, which do no harm.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Numbers that the pinned `tflite` package is too old to name (schema.fbs of LiteRT 2).
_NEWER_OPERATORS = {209: "STABLEHLO_CASE"}
_NEWER_TYPES = {19: "INT2", 20: "UINT4", 21: "FLOAT8_E4M3FN", 22: "FLOAT8_E5M2"}


def operator_name(code: Node) -> tuple[str, int]:
    """An operator code's name and version: CONV_2D, `CUSTOM:name`, or `BUILTIN:number`.

    The one-byte field came first; a file sets both or only one of them, and the larger counts.
    """
    number = max(code.get("deprecated_builtin_code", 0), code.get("builtin_code", 0))
    version = code.get("version", 1)
    if number == _CUSTOM:
        return f"CUSTOM:{text(code.get('custom_code', ''))}", version
    names = _names_by_number(BuiltinOperator)
    return names.get(number) or _NEWER_OPERATORS.get(number, f"BUILTIN:{number}"), version


def type_name(number: int) -> str | None:
    """A tensor type's name, or None for a number that no schema has."""
    return _names_by_number(TensorType).get(number) or _NEWER_TYPES.get(number)


def text(raw: str) -> str:
    """Text that a database and JSON can hold and no terminal obeys, whatever bytes the file had."""
    readable = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", readable)


@cache
def _names_by_number(enumeration: type) -> dict[int, str]:
    return {
        value: name
        for name, value in vars(enumeration).items()
        if isinstance(value, int) and not name.startswith("_")
    }
