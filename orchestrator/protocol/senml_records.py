"""SenML packs (RFC 8428) as resolved records: base fields applied, one value or sum in each."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from orchestrator.protocol.fields import Fields, MessageError

Record: TypeAlias = dict[str, str | float | bool]

MAX_RECORDS = 64
MAX_NAME_CHARS = 160
MAX_TEXT_CHARS = 1024
ABSOLUTE_TIME_FROM = 2**28
"""Times from here on are UNIX seconds; below, seconds from now (RFC 8428, 4.5.3)."""
LATEST_TIME = 253_402_300_799
"""The end of the year 9999, the last second that a calendar date can hold."""

CBOR_LABELS: dict[str, int] = {
    "bver": -1,
    "bn": -2,
    "bt": -3,
    "bu": -4,
    "bv": -5,
    "bs": -6,
    "n": 0,
    "u": 1,
    "v": 2,
    "vs": 3,
    "vb": 4,
    "s": 5,
    "t": 6,
    "ut": 7,
    "vd": 8,
}
"""Section 6, table 4."""

_VERSION = 10
_HUGE = 1e300
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:./_-]*", re.ASCII)
_VALUES = ("v", "vs", "vb", "vd")


def resolve(records: object, labels: dict[str, int] | None = None) -> list[Record]:
    """The resolved records of a decoded pack; `labels` are CBOR's integer keys, none for JSON."""
    if not isinstance(records, list):
        raise MessageError("a SenML pack is a list of records")
    if not 1 <= len(records) <= MAX_RECORDS:
        raise MessageError(f"a SenML pack here has 1 to {MAX_RECORDS} records, not {len(records)}")
    return list(_resolved(records, labels or {}))


def as_number(value: float) -> float:
    """A whole number as int, so that JSON shows 3 and not 3.0."""
    return int(value) if value.is_integer() and abs(value) < _HUGE else value


def _resolved(records: list[object], labels: dict[str, int]) -> Iterator[Record]:
    base: Record = {}
    for position, members in enumerate(records):
        fields = Fields(members, f"/{position}", labels)
        _check_known(fields)
        _take_base(base, fields)
        yield _one(base, fields)


def _check_known(fields: Fields) -> None:
    """A label that ends in "_" must be understood (section 4.4); a version must be known."""
    for label in fields.text_labels():
        if label.endswith("_"):
            raise fields.error("must be understood and is not", label[:40])
    if fields.has("bver") and fields.integer("bver") != _VERSION:
        raise fields.error(f"only SenML version {_VERSION} is understood", "bver")


def _take_base(base: Record, fields: Fields) -> None:
    for name in ("bn", "bu"):
        if fields.has(name):
            base[name] = fields.text(name, MAX_NAME_CHARS)
    for name in ("bt", "bv", "bs"):
        if fields.has(name):
            base[name] = fields.number(name, -_HUGE, _HUGE)


def _one(base: Record, fields: Fields) -> Record:
    record: Record = {"n": _full_name(base, fields)}
    unit = fields.text("u", 40) if fields.has("u") else base.get("bu")
    if unit is not None:
        record["u"] = unit
    record |= _value(base, fields)
    if fields.has("t") or "bt" in base:
        record["t"] = _time(base, fields)
    if fields.has("ut"):
        record["ut"] = as_number(fields.number("ut", -_HUGE, _HUGE))
    return record


def _full_name(base: Record, fields: Fields) -> str:
    name = str(base.get("bn", "")) + (fields.text("n", MAX_NAME_CHARS) if fields.has("n") else "")
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_CHARS:
        raise fields.error(f"base name and name make {name[:60]!r}, which is no SenML name", "n")
    return name


def _value(base: Record, fields: Fields) -> Record:
    """Exactly one value, or a sum with at most one (section 4.2)."""
    found = [name for name in _VALUES if fields.has(name)]
    if len(found) > 1 or not (found or fields.has("s")):
        raise fields.error("a record has exactly one of v, vs, vb, vd, or a sum", "v")
    value: Record = {name: _READERS[name](fields) for name in found}
    if "v" in value:
        value["v"] = as_number(float(value["v"]) + float(base.get("bv", 0)))
    if fields.has("s"):
        total = fields.number("s", -_HUGE, _HUGE) + float(base.get("bs", 0))
        value["s"] = as_number(total)
    return value


def _time(base: Record, fields: Fields) -> float:
    own = fields.number("t", -_HUGE, _HUGE) if fields.has("t") else 0.0
    time = float(base.get("bt", 0)) + own
    if abs(time) > LATEST_TIME:
        raise fields.error("is beyond the year 9999", "t")
    return as_number(time)


def _data(fields: Fields) -> str:
    """Base64url without padding: as JSON carries it; CBOR carries the bytes themselves."""
    if fields.in_cbor:
        octets = fields.octets("vd", MAX_TEXT_CHARS)
        return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
    return fields.text("vd", MAX_TEXT_CHARS)


_READERS: dict[str, Any] = {
    "v": lambda fields: fields.number("v", -_HUGE, _HUGE),
    "vs": lambda fields: fields.text("vs", MAX_TEXT_CHARS),
    "vb": lambda fields: fields.flag("vb"),
    "vd": _data,
}
