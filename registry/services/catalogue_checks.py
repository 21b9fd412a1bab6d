"""The rules that catalogue files are checked by: values, mappings, lists, whole files."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_WORD = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")


class CatalogueError(ValueError):
    """A catalogue file is refused: which file, which entry, which rule."""

    def __init__(self, file: str, entry: str, rule: str) -> None:
        self.file = file
        self.entry = entry
        self.rule = rule
        super().__init__(f"{file}, {entry}: {rule}" if entry else f"{file}: {rule}")


class Broken(Exception):
    """A rule is broken; the caller knows where."""


Check: TypeAlias = Callable[[Any], Any]


def sections(file: Path, names: Collection[str]) -> Iterator[tuple[str, list[Any]]]:
    """The lists that a file holds, by name; CatalogueError for one of another name."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except (yaml.YAMLError, UnicodeDecodeError, Broken) as error:
        raise CatalogueError(file.name, "", f"is not readable YAML: {error}") from error
    if not isinstance(content, dict) or not content or not content.keys() <= set(names):
        raise CatalogueError(file.name, "", f"must hold lists named {' or '.join(names)}, only")
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
                raise Broken(f"the key {key!r} stands twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def checked(raw: Any, checks: Mapping[str, Check], required: Collection[str]) -> dict[str, Any]:
    """A mapping's values, each checked; what is null is left out."""
    if not isinstance(raw, dict):
        raise Broken(f"must be a mapping, not {shown(raw)}")
    unknown = sorted(str(key) for key in raw.keys() - checks.keys())
    if unknown:
        raise Broken(f"has the unknown key {unknown[0]!r}; known are {', '.join(checks)}")
    missing = [key for key in checks if key in required and raw.get(key) is None]
    if missing:
        raise Broken(f"lacks {missing[0]}")
    return {key: _check_value(key, raw[key], checks[key]) for key in raw if raw[key] is not None}


def _check_value(key: str, value: Any, check: Check) -> Any:
    try:
        return check(value)
    except Broken as error:
        raise Broken(f"{key} {error}") from error


def text(length: int) -> Check:
    """A printable text of at most so many characters."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= length or not value.isprintable():
            raise Broken(f"must be a text of 1 to {length} characters, not {shown(value)}")
        return value

    return check


def matching(pattern: re.Pattern[str], length: int, form: str) -> Check:
    """A text of a pattern, which `form` says in words."""

    def check(value: Any) -> str:
        found = str(text(length)(value))
        if not pattern.fullmatch(found):
            raise Broken(f"must be {form}, not {found!r}")
        return found

    return check


def url(value: Any) -> str:
    """An address on the web."""
    found = str(text(400)(value))
    if not found.startswith(("https://", "http://")) or " " in found:
        raise Broken(f"must be an http or https address, not {found!r}")
    return found


def above_zero(value: Any) -> int:
    """A whole number that every column and every JSON reader holds exactly."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**53:
        raise Broken(f"must be a whole number above 0, not {shown(value)}")
    return value


def number(value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise Broken(f"must be a number, not {shown(value)}")
    return float(value)


def list_of(check: Check) -> Check:
    """A list that is not empty, each element checked."""

    def check_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not value:
            raise Broken(f"must be a list with at least one element, not {shown(value)}")
        return tuple(check(item) for item in value)

    return check_all


def yes_or_no(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise Broken(f"must be true or false, not {shown(value)}")
    return value


def shown(value: Any) -> str:
    """A value as a message may quote it."""
    whole = repr(value)
    return whole if len(whole) <= 60 else f"{whole[:57]}..."


slug = matching(SLUG, 80, "lower-case letters, digits and single hyphens")
word = matching(_WORD, 40, "a lower-case word")
