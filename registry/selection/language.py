"""The language in which people say which devices they mean.

    board = nucleo-l4r5zi and slot >= 64 KiB and not fleet in (test, "old ones")
    sensor = microphone and (firmware ~ "2.*" or last_seen < now-7d)
    online and installed is unknown

`and` binds tighter than `or`; words are compared as written, `~` takes `*` for any characters. A
fact that is not known satisfies no comparison; `not` and `!=` select all the others, those that are
not known among them; `is known` and `is unknown` ask for that alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from typing import Any

from lark import Lark, Token, v_args
from lark.exceptions import UnexpectedInput, UnexpectedToken, VisitError
from lark.visitors import Transformer_NonRecursive

from registry.selection.terms import (
    COMPARATORS,
    Ago,
    Comparator,
    Comparison,
    Every,
    FilterError,
    Kind,
    Known,
    Not,
    Some,
    Term,
    Value,
)

MAX_LENGTH = 4000
MAX_STARS = 8  # a pattern with many takes a database long

_GRAMMAR = r"""
?start: some
?some: every ("or"i every)*
?every: term ("and"i term)*
?term: "not"i term                              -> negated
     | "(" some ")"
     | NAME COMPARATOR VALUE                    -> comparison
     | NAME "in"i "(" VALUE ("," VALUE)* ")"    -> membership
     | NAME "is"i "known"i                      -> known
     | NAME "is"i "unknown"i                    -> unknown
     | NAME                                     -> truth
COMPARATOR: "<=" | ">=" | "!=" | "=" | "<" | ">" | "~"
NAME: /[A-Za-z_]\w*/
VALUE: /"(?:[^"\\]|\\.)*"/ | /[^\s()",=<>!~]+(?:[ ](?=[KMG]?i?B\b)[KMG]?i?B)?/i
%ignore /\s+/
"""
_UNITS = {"b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3}
_UNITS |= {"kib": 1024, "mib": 1024**2, "gib": 1024**3}
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?i?b)?", re.IGNORECASE)
_AGO = re.compile(r"now(?:-(\d{1,6})([smhd]))?", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


def parse_filter(text: str, fields: Mapping[str, Kind]) -> Term:
    """What `text` says of these fields. Raises FilterError with a sentence for people."""
    if len(text) > MAX_LENGTH:
        raise FilterError(f"The filter is longer than {MAX_LENGTH:,} characters.")
    if not text.strip():
        raise FilterError(f"The filter is empty. {_known(fields)}")
    try:
        return _Reader(fields).transform(_grammar().parse(text))
    except UnexpectedInput as error:
        raise FilterError(_where(text, error)) from error
    except VisitError as error:
        if isinstance(error.orig_exc, FilterError):
            raise error.orig_exc from error
        raise


@cache
def _grammar() -> Lark:
    return Lark(_GRAMMAR, parser="lalr")


@v_args(inline=True)
class _Reader(Transformer_NonRecursive[Token, Term]):
    """Turns what the grammar finds into terms, however deep it lies."""

    def __init__(self, fields: Mapping[str, Kind]) -> None:
        super().__init__()
        self._fields = fields

    def some(self, *terms: Term) -> Term:
        return Some(terms)

    def every(self, *terms: Term) -> Term:
        return Every(terms)

    def negated(self, term: Term) -> Term:
        return Not(term)

    def comparison(self, name: Token, sign: Token, value: Token) -> Term:
        kind, comparator = self._kind(name), Comparator(sign)
        if comparator not in COMPARATORS[kind]:
            allowed = ", ".join(each for each in Comparator if each in COMPARATORS[kind])
            raise FilterError(f"{name} ({kind}) takes {allowed}, not {sign} {_at(sign)}.")
        if comparator is Comparator.LIKE and value.count("*") > MAX_STARS:
            raise FilterError(f"A pattern has at most {MAX_STARS} stars {_at(value)}.")
        read = _value(name, kind, value)
        if comparator is Comparator.UNEQUAL:
            return Not(Comparison(str(name), Comparator.EQUAL, (read,)))
        return Comparison(str(name), comparator, (read,))

    def membership(self, name: Token, *values: Token) -> Term:
        kind = self._kind(name)
        read = tuple(_value(name, kind, value) for value in values)
        return Comparison(str(name), Comparator.EQUAL, read)

    def known(self, name: Token) -> Term:
        self._kind(name)
        return Known(str(name))

    def unknown(self, name: Token) -> Term:
        return Not(self.known(name))

    def truth(self, name: Token) -> Term:
        if self._kind(name) is not Kind.TRUTH:
            raise FilterError(f"{name} is compared with nothing {_at(name)}.")
        return Comparison(str(name), Comparator.EQUAL, (True,))

    def _kind(self, name: Token) -> Kind:
        kind = self._fields.get(str(name))
        if kind is None:
            near = get_close_matches(name, self._fields, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise FilterError(f"There is no field {name} {_at(name)}. {hint}{_known(self._fields)}")
        return kind


def _value(name: str, kind: Kind, token: Token) -> Value:
    text = _unquoted(token)
    value = _READERS[kind](text)
    if value is None:
        raise FilterError(f"{name} takes {_WANTED[kind]}, not {text[:40]!r} {_at(token)}.")
    return value


def _unquoted(token: Token) -> str:
    if not token.startswith('"'):
        return str(token)
    text = re.sub(r"\\(.)", r"\1", token[1:-1])
    if "\0" in text:
        raise FilterError(f"A value has no NUL character {_at(token)}.")
    return text


def _number(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None


def _size(text: str) -> int | None:
    found = _SIZE.fullmatch(text)
    if found is None:
        return None
    size = float(found[1]) * _UNITS[(found[2] or "b").lower()]
    return round(size) if size < 1e18 else None


def _moment(text: str) -> datetime | Ago | None:
    ago = _AGO.fullmatch(text)
    if ago:
        return Ago(timedelta(seconds=int(ago[1] or 0) * _SECONDS[(ago[2] or "s").lower()]))
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


_READERS: Mapping[Kind, Callable[[str], Value | None]] = {
    Kind.TEXT: str,
    Kind.NAME: str,
    Kind.NUMBER: _number,
    Kind.BYTES: _size,
    Kind.TRUTH: lambda text: _TRUTHS.get(text.lower()),
    Kind.MOMENT: _moment,
}
_WANTED: Mapping[Kind, str] = {
    Kind.TEXT: "text",
    Kind.NAME: "a name",
    Kind.NUMBER: "a whole number",
    Kind.BYTES: "a size such as 64 KiB, 64 kB or 65536",
    Kind.TRUTH: "true or false",
    Kind.MOMENT: "a time such as 2026-11-26T12:00Z or now-7d",
}


def _at(token: Token) -> str:
    return f"(character {(token.start_pos or 0) + 1})"


def _where(text: str, error: UnexpectedInput) -> str:
    position = error.pos_in_stream or 0
    ends = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    if ends or not text[position:].strip():
        return "The filter ends where something is still to come."
    return f"The filter cannot be read from {text[position:][:20]!r} on (character {position + 1})."


def _known(fields: Mapping[str, Any]) -> str:
    return f"Fields are {', '.join(sorted(fields))}."
