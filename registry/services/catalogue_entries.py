"""What a catalogue file may say: YAML in, checked entries out, or the rule that it breaks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_WORD = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")


class CatalogueError(ValueError):
    """A catalogue file is refused: which file, which entry, which rule."""

    def __init__(self, file: str, entry: str, rule: str) -> None:
        self.file = file
        self.entry = entry
        self.rule = rule
        super().__init__(f"{file}, {entry}: {rule}" if entry else f"{file}: {rule}")


@dataclass(frozen=True, slots=True)
class SensorEntry:
    """A sensor on a board. The rate is the highest, in hertz; the shape that of one sample.

    `least` and `greatest` are the ends of what it can measure, in `unit`; the power is that which
    it draws while it samples, in milliwatts.
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


class _Broken(Exception):
    """A rule is broken; the caller knows where."""


Check: TypeAlias = Callable[[Any], Any]


def read_catalogue(directory: Path) -> Catalogue:
    """Read and check every *.yaml file of a folder; CatalogueError for the first fault."""
    files = sorted(directory.glob("*.yaml"))
    if not files:
        raise CatalogueError(str(directory), "", "has no .yaml file")
    boards: dict[str, BoardEntry] = {}
    runtimes: dict[str, RuntimeEntry] = {}
    for file in files:
        for section, entries in _sections(file):
            for number, raw in enumerate(entries, start=1):
                label = _label(section, number, raw)
                try:
                    _add(section, raw, boards, runtimes)
                except _Broken as error:
                    raise CatalogueError(file.name, label, str(error)) from error
    return Catalogue(tuple(boards.values()), tuple(runtimes.values()))


def _sections(file: Path) -> Iterator[tuple[str, list[Any]]]:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except (yaml.YAMLError, UnicodeDecodeError, _Broken) as error:
        raise CatalogueError(file.name, "", f"is not readable YAML: {error}") from error
    if not isinstance(content, dict) or not content or not content.keys() <= {"boards", "runtimes"}:
        raise CatalogueError(file.name, "", "must hold lists named boards or runtimes, only")
    for section, entries in content.items():
        if not isinstance(entries, list):
            raise CatalogueError(file.name, section, "must be a list")
        yield section, entries


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets a later key silently replace an earlier one; a fact must not vanish like that."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise _Broken(f"the key {key!r} stands twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def _label(section: str, number: int, raw: Any) -> str:
    names = ("slug",) if section == "boards" else ("name", "version", "kernels")
    known = [str(raw[name]) for name in names if name in raw] if isinstance(raw, dict) else []
    return f"{section[:-1]} {' '.join(known) or number}"


def _add(
    section: str, raw: Any, boards: dict[str, BoardEntry], runtimes: dict[str, RuntimeEntry]
) -> None:
    if section == "boards":
        board = BoardEntry(**_checked(raw, _BOARD, required=set(_BOARD) - {"sensors"}))
        _add_once(boards, board.slug, board)
    else:
        runtime = RuntimeEntry(**_checked(raw, _RUNTIME, required=set(_RUNTIME)))
        _add_once(runtimes, f"{runtime.name} {runtime.version} {runtime.kernels}", runtime)


def _add_once(entries: dict[str, Any], key: str, entry: Any) -> None:
    if key in entries:
        raise _Broken("is given twice in this catalogue")
    entries[key] = entry


def _checked(raw: Any, checks: Mapping[str, Check], required: set[str]) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise _Broken(f"must be a mapping, not {_shown(raw)}")
    unknown = sorted(str(key) for key in raw.keys() - checks.keys())
    if unknown:
        raise _Broken(f"has the unknown key {unknown[0]!r}; known are {', '.join(checks)}")
    missing = [key for key in checks if key in required and raw.get(key) is None]
    if missing:
        raise _Broken(f"lacks {missing[0]}")
    return {key: _check_value(key, raw[key], checks[key]) for key in raw if raw[key] is not None}


def _check_value(key: str, value: Any, check: Check) -> Any:
    try:
        return check(value)
    except _Broken as error:
        raise _Broken(f"{key} {error}") from error


def _text(length: int) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= length or not value.isprintable():
            raise _Broken(f"must be a text of 1 to {length} characters, not {_shown(value)}")
        return value

    return check


def _matching(pattern: re.Pattern[str], length: int, form: str) -> Check:
    def check(value: Any) -> str:
        text = _text(length)(value)
        if not pattern.fullmatch(text):
            raise _Broken(f"must be {form}, not {text!r}")
        return str(text)

    return check


def _url(value: Any) -> str:
    text = str(_text(400)(value))
    if not text.startswith(("https://", "http://")) or " " in text:
        raise _Broken(f"must be an http or https address, not {text!r}")
    return text


def _above_zero(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**53:
        raise _Broken(f"must be a whole number above 0, not {_shown(value)}")
    return value


def _rate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise _Broken(f"must be a number of hertz above 0, not {_shown(value)}")
    return float(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise _Broken(f"must be a number, not {_shown(value)}")
    return float(value)


def _power(value: Any) -> float:
    if _number(value) < 0:
        raise _Broken(f"must be a number of milliwatts, not {_shown(value)}")
    return float(value)


def _list_of(check: Check) -> Check:
    def check_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not value:
            raise _Broken(f"must be a list with at least one element, not {_shown(value)}")
        return tuple(check(item) for item in value)

    return check_all


def _sensors(value: Any) -> tuple[SensorEntry, ...]:
    entries = _list_of(lambda raw: SensorEntry(**_checked(raw, _SENSOR, required={"kind"})))(value)
    if len({(entry.kind, entry.part) for entry in entries}) < len(entries):
        raise _Broken("name the same kind and part twice")
    for entry in entries:
        _check_range(entry)
    return tuple(entries)


def _check_range(entry: SensorEntry) -> None:
    if (entry.least is None) != (entry.greatest is None) or (entry.unit and entry.least is None):
        raise _Broken(f"give the {entry.kind} one end of a range; least and greatest go together")
    if entry.least is not None and entry.greatest is not None and entry.least > entry.greatest:
        raise _Broken(f"give the {entry.kind} a least value above its greatest")


def _operators(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not value:
        raise _Broken(f"must be a mapping of names to versions, not {_shown(value)}")
    return {_text(120)(name): _above_zero(version) for name, version in value.items()}


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_slug = _matching(_SLUG, 80, "lower-case letters, digits and single hyphens")
_word = _matching(_WORD, 40, "a lower-case word")

_SENSOR: Mapping[str, Check] = {
    "kind": _matching(_SLUG, 40, "a lower-case word"),
    "part": _text(80),
    "observes": _text(80),
    "max_rate_hz": _rate,
    "shape": _list_of(_above_zero),
    "least": _number,
    "greatest": _number,
    "unit": _text(20),
    "power_mw": _power,
}
_BOARD: Mapping[str, Check] = {
    "slug": _slug,
    "name": _text(160),
    "vendor": _text(120),
    "mcu": _text(80),
    "core": _word,
    "clock_hz": _above_zero,
    "ram_bytes": _above_zero,
    "flash_bytes": _above_zero,
    "url": _url,
    "source": _text(300),
    "sensors": _sensors,
}
_RUNTIME: Mapping[str, Check] = {
    "name": _slug,
    "version": _text(60),
    "kernels": _word,
    "source": _text(300),
    "operators": _operators,
    "dtypes": _list_of(_word),
}
