"""From bytes to a JSON object that is safe to read: bounded, each name once, each text a text.

Source: RFC 8259 (JSON) with what I-JSON (RFC 7493) asks of interoperable documents; W3C TD 1.1,
section 6.1.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from typing import Any, NoReturn, TypeAlias

from registry.formats.td.refusal import DescriptionError, DescriptionLimits, escaped, shown

# Digits of the largest whole number that I-JSON lets people count on: a double's.
_MAX_DIGITS = sys.float_info.max_10_exp + 1

# A place in the document as its parent's place and the last step; None is the root.
_Place: TypeAlias = "tuple[_Place, str | int] | None"


class _Long(float):
    """Stands for an integer whose digits no double can hold."""

    digits = 0


class _Repeating(dict[str, Any]):
    """A JSON object in which a name stands more than once."""

    repeated = ""


def read_document(payload: bytes, limits: DescriptionLimits) -> dict[str, Any]:
    """The description's JSON object, or DescriptionError naming what is wrong and where."""
    if len(payload) > limits.max_bytes:
        raise DescriptionError(
            "",
            f"has {len(payload)} bytes, more than the {limits.max_bytes} allowed",
            "Shorten it, or raise TINYFLEET_DESCRIPTION_MAX_BYTES",
        )
    document = _json(_text(payload))
    if not isinstance(document, dict):
        problem = "is not a JSON object, so no Thing Description"
        raise DescriptionError("", problem, "Give one object with @context, title and security")
    _check_values(document, limits)
    return document


def _text(payload: bytes) -> str:
    """Decoded; a byte order mark, which a producer must not write, is passed over (section 6.1)."""
    try:
        return payload.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 at byte {error.start}"
        raise DescriptionError("", problem, "Save the file as UTF-8") from error


def _json(text: str) -> Any:
    try:
        return json.loads(
            text, parse_int=_integer, parse_constant=_no_constant, object_pairs_hook=_object
        )
    except RecursionError as error:
        problem = "is nested too deeply to be a Thing Description"
        raise DescriptionError("", problem, "Nest fewer objects and arrays") from error
    except ValueError as error:
        problem = f"is not JSON: {error}"
        raise DescriptionError("", problem, "Mend the syntax at that place") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _integer(digits: str) -> int | _Long:
    """What is too long is not computed: that takes time, and Python refuses it in its own words."""
    count = len(digits.removeprefix("-"))
    if count <= _MAX_DIGITS:
        return int(digits)
    number = _Long("inf")
    number.digits = count
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeating = _Repeating(found)
    repeating.repeated = Counter(name for name, _ in pairs).most_common(1)[0][0]
    return repeating


def _check_values(root: Any, limits: DescriptionLimits) -> None:
    """Look at every value once, without recursion: the depth is what is being checked."""
    pending: list[tuple[Any, _Place, int]] = [(root, None, 1)]
    while pending:
        value, place, depth = pending.pop()
        _check_value(value, place)
        if not isinstance(value, dict | list):
            continue
        if depth > limits.max_depth:
            raise DescriptionError(
                _pointer(place),
                f"is nested more than {limits.max_depth} levels deep",
                "Nest less, or raise TINYFLEET_DESCRIPTION_MAX_DEPTH",
            )
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        pending.extend((inner, (place, step), depth + 1) for step, inner in steps)


def _check_value(value: Any, place: _Place) -> None:
    if isinstance(value, _Repeating):
        problem = f"says {shown(value.repeated)} twice"
        raise DescriptionError(_pointer(place), problem, "Give each member another name")
    if isinstance(value, dict):
        for name in value:
            _check_text(name, place)
    elif isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, _Long):
        problem = f"is a number of {value.digits} digits, more than the {_MAX_DIGITS} of a double"
        raise DescriptionError(_pointer(place), problem, "Write a smaller number")
    elif isinstance(value, float) and not math.isfinite(value):
        problem = "is a number beyond the range of a double"
        raise DescriptionError(_pointer(place), problem, "Write a smaller number")


def _check_text(text: str, place: _Place) -> None:
    if text.isascii() and "\0" not in text:
        return
    if "\0" in text:
        raise DescriptionError(_pointer(place), "holds the character U+0000", "Leave it out")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        problem = f"holds half a surrogate pair: {shown(text[error.start])}"
        raise DescriptionError(_pointer(place), problem, "Write the whole character") from error


def _pointer(place: _Place) -> str:
    steps = []
    while place is not None:
        place, step = place
        steps.append(f"/{escaped(str(step))}")
    return "".join(reversed(steps))
