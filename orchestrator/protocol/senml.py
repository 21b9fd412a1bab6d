"""Telemetry packs as SenML, in JSON or CBOR (RFC 8428).

Known names become the fields of a TelemetryPack; every resolved record is kept beside them. Units
are those of RFC 8428 ("/", "B") and RFC 8798 ("ms").
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from orchestrator.protocol import cbor as cbor_items
from orchestrator.protocol import topics
from orchestrator.protocol.fields import MAX_COUNT, MessageError
from orchestrator.protocol.messages import TelemetryPack
from orchestrator.protocol.senml_records import (
    ABSOLUTE_TIME_FROM,
    CBOR_LABELS,
    Record,
    as_number,
    resolve,
)
from orchestrator.protocol.strict_json import load_json

MAX_TELEMETRY_BYTES = 16 * 1024
BASE_NAME = "urn:tinyfleet:device:"

_KNOWN = re.compile(rf"{BASE_NAME}([^:]+):([a-z]+)", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """One known record name: the pack's field, its unit, its highest value, whole or not."""

    field: str
    unit: str | None = None
    high: float = MAX_COUNT
    whole: bool = True


_MEANINGS: dict[str, _Meaning] = {
    "boot": _Meaning("boot"),
    "seq": _Meaning("sequence"),
    "model": _Meaning("digest"),
    "samples": _Meaning("samples", high=2**31 - 1),
    "labelled": _Meaning("labelled", high=2**31 - 1),
    "accuracy": _Meaning("accuracy", "/", 1, whole=False),
    "latency": _Meaning("latency_ms", "ms", whole=False),
    "arena": _Meaning("arena_used_bytes", "B"),
    "heap": _Meaning("free_heap_bytes", "B"),
    "adapted": _Meaning("adapted_samples"),
    "held": _Meaning("held_from"),
}
KNOWN_NAMES = tuple(_MEANINGS)


def base_name(device_id: str) -> str:
    """The SenML base name of a device's records."""
    return f"{BASE_NAME}{topics.check_device_id(device_id)}:"


def encode_telemetry(device_id: str, pack: TelemetryPack, cbor: bool = False) -> bytes:
    """One pack; `pack.records` travel too, as far as they are not the known ones."""
    base = base_name(device_id)
    own = {base + name for name in KNOWN_NAMES}
    # Further records carry full names, so they go before the base name takes effect.
    records = [dict(record) for record in pack.records if record["n"] not in own]
    records += _known_records(base, pack)
    return _as_cbor(records) if cbor else _as_json(records)


def decode_telemetry(payload: bytes, device_id: str | None = None) -> TelemetryPack:
    """The pack of a payload, JSON where it starts with "[", else CBOR.

    With `device_id`, a pack that speaks for another device is a MessageError.
    """
    if payload.lstrip()[:1] == b"[":
        records = resolve(load_json(payload, MAX_TELEMETRY_BYTES))
    else:
        records = resolve(cbor_items.loads(payload, MAX_TELEMETRY_BYTES), CBOR_LABELS)
    known = _known_values(records, device_id)
    for name in ("boot", "seq"):
        if _MEANINGS[name].field not in known:
            raise MessageError(f"a pack needs the record {name!r}")
    pack = TelemetryPack(at=_latest_time(records), records=tuple(records), **known)
    _check_counts(pack)
    return pack


def _known_records(base: str, pack: TelemetryPack) -> list[Record]:
    records: list[Record] = []
    for name, meaning in _MEANINGS.items():
        value = getattr(pack, meaning.field)
        if value is None:
            continue
        record: Record = {"n": name}
        if meaning.unit:
            record["u"] = meaning.unit
        record["vs" if name == "model" else "v"] = value
        records.append(record)
    head: Record = {"bn": base}
    if pack.at is not None:
        head["bt"] = as_number(float(pack.at))
    records[0] = head | records[0]
    return records


def _as_json(records: list[Record]) -> bytes:
    return json.dumps(records, separators=(",", ":"), allow_nan=False).encode()


def _as_cbor(records: list[Record]) -> bytes:
    return cbor_items.dumps(
        [{CBOR_LABELS[k]: _octets(k, v) for k, v in r.items()} for r in records]
    )


def _octets(label: str, value: Any) -> Any:
    if label != "vd":
        return value
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def _known_values(records: list[Record], device_id: str | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    speaker = device_id
    for position, record in enumerate(records):
        match = _KNOWN.fullmatch(str(record["n"]))
        if match is None or match[2] not in _MEANINGS:
            continue
        speaker = speaker or match[1]
        if match[1] != speaker:
            raise MessageError(f"speaks for {match[1][:63]!r}, not {speaker!r}", f"/{position}")
        meaning = _MEANINGS[match[2]]
        if meaning.field in values:
            raise MessageError(f"the record {match[2]!r} stands twice", f"/{position}")
        values[meaning.field] = _known_value(match[2], meaning, record, f"/{position}")
    return values


def _known_value(name: str, meaning: _Meaning, record: Record, where: str) -> Any:
    if name == "model":
        return _digest(record, where)
    if record.get("u", meaning.unit) != meaning.unit:
        raise MessageError(f"the unit of {name!r} is {meaning.unit or 'none'}", where)
    value = record.get("v")
    if value is None or isinstance(value, bool | str):
        raise MessageError(f"{name!r} needs a number in v", where)
    if not 0 <= value <= meaning.high:
        raise MessageError(f"{name!r} must be between 0 and {meaning.high:g}", where)
    if meaning.whole and not float(value).is_integer():
        raise MessageError(f"{name!r} must be a whole number", where)
    return int(value) if meaning.whole else float(value)


def _digest(record: Record, where: str) -> str:
    value = record.get("vs")
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise MessageError("'model' needs a SHA-256 in 64 lower-case hex digits in vs", where)
    return value


def _latest_time(records: list[Record]) -> float | None:
    times = [float(record["t"]) for record in records if "t" in record]
    absolute = [time for time in times if time >= ABSOLUTE_TIME_FROM]
    return max(absolute, default=None)


def _check_counts(pack: TelemetryPack) -> None:
    if pack.labelled > pack.samples:
        raise MessageError(f"{pack.labelled} labelled of {pack.samples} samples")
    if pack.accuracy is not None and pack.labelled == 0:
        raise MessageError("an accuracy over no labelled samples")
