"""What a catalogue file may say: YAML in, checked entries out, or the rule that it breaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from registry.services.catalogue_checks import (
    SLUG,
    Broken,
    CatalogueError,
    Check,
    above_zero,
    checked,
    list_of,
    matching,
    number,
    sections,
    shown,
    slug,
    text,
    url,
    word,
)

__all__ = ["CatalogueError"]

Key = TypeVar("Key", str, tuple[str, str])
Entry = TypeVar("Entry")
Parts: TypeAlias = dict[tuple[str, str], Mapping[str, Any]]  # facts by kind and part, as written


@dataclass(frozen=True, slots=True)
class SensorEntry:
    """A sensor on a board. The rate is the highest, in hertz; the shape that of one sample.

    `least` and `greatest` are the ends of what it can measure, in `unit`; the power is that which
    it draws while it samples, in milliwatts. The current, in milliamperes, is what the whole part
    draws under `conditions`; `source` says where all this was read.
    """

    kind: str
    part: str = ""
    observes: str = ""
    max_rate_hz: float | None = None
    shape: tuple[int, ...] | None = None
    least: float | None = None
    greatest: float | None = None
    unit: str = ""
    power_mw: float | None = None
    current_ma: float | None = None
    conditions: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class BoardEntry:
    """A board type. Sizes are bytes, the clock is in hertz."""

    slug: str
    name: str
    vendor: str
    mcu: str
    core: str
    clock_hz: int
    ram_bytes: int
    flash_bytes: int
    url: str
    source: str
    sensors: tuple[SensorEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class RuntimeEntry:
    """A runtime with its operators (name to highest version) and the types that it accepts."""

    name: str
    version: str
    kernels: str
    source: str
    operators: Mapping[str, int] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All entries of a folder."""

    boards: tuple[BoardEntry, ...]
    runtimes: tuple[RuntimeEntry, ...]


def read_catalogue(directory: Path) -> Catalogue:
    """Read and check every *.yaml file of a folder; CatalogueError for the first fault.

    What `parts` say of a sensor part holds on every board that names it, unless the board says
    otherwise.
    """
    files = sorted(directory.glob("*.yaml"))
    if not files:
        raise CatalogueError(str(directory), "", "has no .yaml file")
    found = [
        (file.name, section, place, raw)
        for file in files
        for section, entries in sections(file, _IDENTITIES)
        for place, raw in enumerate(entries, start=1)
    ]
    parts: Parts = {}
    boards: dict[str, BoardEntry] = {}
    runtimes: dict[str, RuntimeEntry] = {}
    for name, section, place, raw in sorted(found, key=lambda each: each[1] != "parts"):
        try:
            if section == "parts":
                _add_part(raw, parts)
            elif section == "boards":
                _add_board(raw, boards, parts)
            else:
                _add_runtime(raw, runtimes)
        except Broken as error:
            raise CatalogueError(name, _label(section, place, raw), str(error)) from error
    return Catalogue(tuple(boards.values()), tuple(runtimes.values()))


def _label(section: str, place: int, raw: Any) -> str:
    names = _IDENTITIES[section]
    known = [str(raw[name]) for name in names if name in raw] if isinstance(raw, dict) else []
    return f"{section[:-1]} {' '.join(known) or place}"


def _add_part(raw: Any, parts: Parts) -> None:
    facts = checked(raw, _SENSOR, required={"kind", "part", "source"})
    _check_range(SensorEntry(**facts))
    _add_once(parts, (facts["kind"], facts["part"]), raw)


def _add_board(raw: Any, boards: dict[str, BoardEntry], parts: Parts) -> None:
    sensors: Check = partial(_sensors, parts=parts)
    board = BoardEntry(**checked(raw, {**_BOARD, "sensors": sensors}, required=_BOARD))
    _add_once(boards, board.slug, board)


def _add_runtime(raw: Any, runtimes: dict[str, RuntimeEntry]) -> None:
    runtime = RuntimeEntry(**checked(raw, _RUNTIME, required=set(_RUNTIME)))
    _add_once(runtimes, f"{runtime.name} {runtime.version} {runtime.kernels}", runtime)


def _add_once(entries: dict[Key, Entry], key: Key, entry: Entry) -> None:
    if key in entries:
        raise Broken("is given twice in this catalogue")
    entries[key] = entry


def _rate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise Broken(f"must be a number of hertz above 0, not {shown(value)}")
    return float(value)


def _not_below_zero(unit: str) -> Check:
    def check(value: Any) -> float:
        if number(value) < 0:
            raise Broken(f"must be a number of {unit}, not {shown(value)}")
        return float(value)

    return check


def _sensors(value: Any, parts: Parts) -> tuple[SensorEntry, ...]:
    def sensor(raw: Any) -> SensorEntry:
        known = _of_part(raw, parts) if isinstance(raw, dict) else raw
        return SensorEntry(**checked(known, _SENSOR, required={"kind"}))

    entries = list_of(sensor)(value)
    if len({(entry.kind, entry.part) for entry in entries}) < len(entries):
        raise Broken("name the same kind and part twice")
    for entry in entries:
        _check_range(entry)
    return tuple(entries)


def _of_part(raw: Mapping[str, Any], parts: Parts) -> Mapping[str, Any]:
    kind, part = raw.get("kind"), raw.get("part")
    if not isinstance(kind, str) or not isinstance(part, str):
        return raw
    return {**parts.get((kind, part), {}), **raw}


def _check_range(entry: SensorEntry) -> None:
    if (entry.least is None) != (entry.greatest is None) or (entry.unit and entry.least is None):
        raise Broken(f"give the {entry.kind} one end of a range; least and greatest go together")
    if entry.least is not None and entry.greatest is not None and entry.least > entry.greatest:
        raise Broken(f"give the {entry.kind} a least value above its greatest")
    if entry.conditions and entry.current_ma is None:
        raise Broken(f"give the {entry.kind} conditions without a current")


def _operators(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not value:
        raise Broken(f"must be a mapping of names to versions, not {shown(value)}")
    return {text(120)(name): above_zero(version) for name, version in value.items()}


# The lists that a file may hold, and what names an entry of each.
_IDENTITIES: Mapping[str, tuple[str, ...]] = {
    "boards": ("slug",),
    "runtimes": ("name", "version", "kernels"),
    "parts": ("kind", "part"),
}
_kind = matching(SLUG, 40, "a lower-case word")
_SENSOR: Mapping[str, Check] = {
    "kind": _kind,
    "part": text(80),
    "observes": text(80),
    "max_rate_hz": _rate,
    "shape": list_of(above_zero),
    "least": number,
    "greatest": number,
    "unit": text(20),
    "power_mw": _not_below_zero("milliwatts"),
    "current_ma": _not_below_zero("milliamperes"),
    "conditions": text(160),
    "source": text(300),
}
_BOARD: Mapping[str, Check] = {
    "slug": slug,
    "name": text(160),
    "vendor": text(120),
    "mcu": text(80),
    "core": word,
    "clock_hz": above_zero,
    "ram_bytes": above_zero,
    "flash_bytes": above_zero,
    "url": url,
    "source": text(300),
}
_RUNTIME: Mapping[str, Check] = {
    "name": slug,
    "version": text(60),
    "kernels": word,
    "source": text(300),
    "operators": _operators,
    "dtypes": list_of(word),
}
