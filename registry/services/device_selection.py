"""Filters of devices become queries here; one language for REST, the admin and rollouts.

Each comparison is made two-valued before it is joined with others: a fact that is not known makes
it false, so `not` selects exactly the rest, whatever SQL thinks of NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from registry.models import Device
from registry.projection.facts import BareBoard, capacity_of, profiles_with_capacity
from registry.selection.language import parse_filter
from registry.selection.terms import (
    Ago,
    Comparator,
    Comparison,
    Every,
    Kind,
    Known,
    Not,
    Some,
    Term,
)

Lookup = Callable[[Collection[Any]], Q]
_LOOKUPS = {
    Comparator.LESS: "lt",
    Comparator.AT_MOST: "lte",
    Comparator.MORE: "gt",
    Comparator.AT_LEAST: "gte",
}


@dataclass(frozen=True, slots=True)
class Field:
    """Something that devices can be chosen by. `path` leads from a device to its column.

    With `many` a device has several values, of which one has to satisfy a comparison. `search`
    stands in place of a path where no column holds it: it gives the devices that have one of the
    values, and those that have any for no value; its kind is NAME.
    """

    kind: Kind
    path: str = ""
    means: str = ""
    many: bool = False
    search: Lookup | None = None


def _with_sensor(kinds: Collection[Any]) -> Q:
    """Devices of profiles with a sensor of one of these kinds; of any kind where none is named."""
    reserve = BareBoard.from_settings()
    profiles = []
    for profile in profiles_with_capacity():
        sensors = {sensor.kind for sensor in capacity_of(profile, reserve).sensors or ()}
        if sensors & set(kinds) or (sensors and not kinds):
            profiles.append(profile.pk)
    return Q(profile__in=profiles)


_FIELDS: dict[str, Field] = {
    "id": Field(Kind.TEXT, "device_id", "the device's id"),
    "status": Field(Kind.NAME, "status", "pending, accepted, rejected or revoked"),
    "fleet": Field(Kind.TEXT, "fleets__slug", "a fleet that it is in", many=True),
    "board": Field(Kind.TEXT, "profile__board__slug", "its board type in the catalogue"),
    "vendor": Field(Kind.TEXT, "profile__board__vendor", "who makes the board"),
    "mcu": Field(Kind.TEXT, "profile__board__mcu", "the board's microcontroller"),
    "core": Field(Kind.TEXT, "profile__board__core", "its core, e.g. cortex-m4f"),
    "clock": Field(Kind.NUMBER, "profile__board__clock_hz", "the core's clock in hertz"),
    "ram": Field(Kind.BYTES, "profile__board__ram_bytes", "the board's RAM"),
    "flash": Field(Kind.BYTES, "profile__board__flash_bytes", "the board's flash"),
    "profile": Field(Kind.TEXT, "profile__digest", "its capability profile's digest"),
    "sensor": Field(Kind.NAME, means="a kind of sensor that it has", search=_with_sensor),
    "firmware": Field(Kind.TEXT, "profile__firmware__name", "its firmware build's name"),
    "firmware_version": Field(Kind.TEXT, "profile__firmware__version", "and version"),
    "slot": Field(Kind.BYTES, "profile__firmware__slot_bytes", "one of its two model slots"),
    "arena": Field(Kind.BYTES, "profile__firmware__arena_budget_bytes", "its arena at most"),
    "runtime": Field(Kind.TEXT, "profile__firmware__runtime__name", "its interpreter's name"),
    "runtime_version": Field(Kind.TEXT, "profile__firmware__runtime__version", "and version"),
    "kernels": Field(Kind.TEXT, "profile__firmware__runtime__kernels", "and kernels"),
    "model": Field(Kind.TEXT, "installed__release__model__name", "the model that it runs"),
    "release": Field(Kind.NUMBER, "installed__release__number", "the release's number"),
    "variant": Field(Kind.TEXT, "installed__name", "the variant's name"),
    "installed": Field(Kind.MOMENT, "installed_at", "since when it runs that"),
    "accepted": Field(Kind.MOMENT, "accepted_at", "since when it is a member"),
}


def add_fields(fields: Mapping[str, Field]) -> None:
    """What other apps know of devices; to be called while apps are made ready."""
    _FIELDS.update(fields)


def selection_fields() -> Mapping[str, Field]:
    """Every field by name."""
    return _FIELDS


def read_filter(text: str) -> Term:
    """What a filter says; FilterError where it says nothing, with a sentence."""
    return parse_filter(text, {name: field.kind for name, field in _FIELDS.items()})


def selecting(term: Term, now: datetime) -> Q:
    """The condition on Device that a filter states at `now`."""
    match term:
        case Comparison():
            return _compared(term, now)
        case Known(name):
            return _known(_FIELDS[name])
        case Not(inner):
            return ~selecting(inner, now)
        case Every(terms):
            return Q(*(selecting(each, now) for each in terms), _connector=Q.AND)
        case Some(terms):
            return Q(*(selecting(each, now) for each in terms), _connector=Q.OR)


def _compared(term: Comparison, now: datetime) -> Q:
    field = _FIELDS[term.name]
    values = [value.at(now) if isinstance(value, Ago) else value for value in term.values]
    if field.search is not None:
        return field.search(values)
    lookup, wanted = _lookup(term, values)
    condition = Q(**{f"{field.path}__{lookup}": wanted})
    return _of_one(field, condition & Q(**{f"{field.path}__isnull": False}))


def _lookup(term: Comparison, values: list[Any]) -> tuple[str, Any]:
    if term.comparator is Comparator.LIKE:
        return "glob", str(values[0])
    if term.comparator is Comparator.EQUAL:
        return "in", values
    return _LOOKUPS[term.comparator], values[0]


def _known(field: Field) -> Q:
    if field.search is not None:
        return field.search(())
    known = Q(**{f"{field.path}__isnull": False})
    if field.kind in {Kind.TEXT, Kind.NAME}:
        known &= ~Q(**{field.path: ""})
    return _of_one(field, known)


def _of_one(field: Field, condition: Q) -> Q:
    """Of several values, one row satisfies all of the condition: asked for by itself."""
    return Q(pk__in=Device.objects.filter(condition).values("pk")) if field.many else condition
