"""JSON as the protocol speaks it: one object, UTF-8, no duplicate member, no NaN, bounded."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from orchestrator.protocol.fields import MessageError

MAX_DEPTH = 8


def dump_object(members: dict[str, Any]) -> bytes:
    """The shortest form; members in the order in which they are given.

    Half a surrogate pair (as in a file name that is not UTF-8) becomes "?".
    """
    text = json.dumps(members, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode(errors="replace")


def load_json(payload: bytes, max_bytes: int) -> object:
    """The value, or a MessageError. Stricter than json.loads, which keeps the last duplicate."""
    if len(payload) > max_bytes:
        raise MessageError(f"has {len(payload)} bytes, more than {max_bytes}")
    text = _utf8(payload)
    _check_depth(text)
    try:
        value: object = _DECODER.decode(text)
    except MessageError:
        raise
    except ValueError as error:
        raise MessageError(f"is not JSON: {error}") from error
    if "\\u" in text:
        _check_texts(value)
    return value


def _utf8(payload: bytes) -> str:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MessageError(f"is not UTF-8 at byte {error.start}") from error


def _check_depth(text: str) -> None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return  # nearly always, and the walk costs more than all the rest
    depth, in_text, escaped = 0, False, False
    for character in text:
        if in_text:
            in_text = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_text = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MessageError(f"is nested deeper than {MAX_DEPTH}")
        elif character in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MessageError(f"member {twice[:40]!r} stands twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise MessageError(f"{name} is not JSON")


def _check_texts(value: object) -> None:
    """Escaped lone surrogates pass the decoder but no store or encoder after it."""
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise MessageError("a text holds half of a surrogate pair")
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_texts(name)
            _check_texts(member)
    elif isinstance(value, list):
        for member in value:
            _check_texts(member)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
