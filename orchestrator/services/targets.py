"""Which devices a rollout is meant for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet

from registry.models import Device, DeviceStatus, Fleet
from registry.selection.terms import FilterError
from registry.services.device_selection import read_filter, selecting
from registry.services.pieces import chunks
from registry.services.sparql_selection import SelectionError, check_selection, selected_ids

_SHOWN = 5


class RolloutError(Exception):
    """A rollout that cannot be as it was asked for; the message is a sentence for who asked.

    Where it is about fields of the order, `fields` has a sentence for each of them by its name.
    """

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields: Mapping[str, str] = dict(fields or {})


class TargetError(RolloutError):
    """A target that means nothing, nobody, or more than its maker may act on."""

    def __init__(self, message: str) -> None:
        super().__init__(message, {"target": message})


@dataclass(frozen=True, slots=True)
class Target:
    """Exactly one of: every accepted device, one fleet, named devices, a filter, a query."""

    everyone: bool = False
    fleet: str | None = None
    devices: tuple[str, ...] = ()
    where: str | None = None
    sparql: str | None = None


def parse_target(raw: Any) -> Target:
    """Read a target as REST gives it; TargetError where it is none.

    `{"all": true}`, `{"fleet": slug}`, `{"devices": [ids]}`, `{"filter": text}` in the language of
    `registry.selection`, or `{"sparql": query}`, a SELECT.
    """
    if not isinstance(raw, dict) or len(raw) != 1:
        forms = '{"all": true}, {"fleet": slug}, {"devices": [ids]}, {"filter": text}'
        raise TargetError(f'A target is {forms} or {{"sparql": query}}.')
    kind, value = next(iter(raw.items()))
    if kind == "all" and value is True:
        return Target(everyone=True)
    if kind == "devices" and _is_names(value):
        return Target(devices=tuple(dict.fromkeys(value)))
    if kind in _OF_TEXT and _is_name(value):
        return _OF_TEXT[kind](value)
    raise TargetError(f"The target {kind!r} does not take {str(value)[:80]!r}.")


def _of_filter(text: str) -> Target:
    try:
        read_filter(text)
    except FilterError as error:
        raise TargetError(str(error)) from error
    return Target(where=text)


def _of_query(query: str) -> Target:
    try:
        check_selection(query)
    except SelectionError as error:
        raise TargetError(str(error)) from error
    return Target(sparql=query)


_OF_TEXT: dict[str, Callable[[str], Target]] = {
    "fleet": lambda slug: Target(fleet=slug),
    "filter": _of_filter,
    "sparql": _of_query,
}


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_name, value))


def _is_name(value: Any) -> bool:
    """PostgreSQL takes no text with a NUL, not even to compare with."""
    return isinstance(value, str) and bool(value) and "\0" not in value


def devices_of(target: Target, now: datetime, user: User | None = None) -> list[Device]:
    """As `selected_devices`, but TargetError where there are none."""
    devices = selected_devices(target, now, user)
    if not devices:
        raise TargetError(f"{_nobody(target)} no accepted device.")
    return devices


def selected_devices(target: Target, now: datetime, user: User | None) -> list[Device]:
    """The accepted devices that the target means now, by id.

    A device that is named one by one must exist and be accepted: a typing error must not silently
    shrink a rollout. Every other target leaves out those that are not accepted. A query is asked
    under the limits of `user`; no transaction may be open around it.
    """
    if target.devices:
        return _named_devices(target.devices)
    if target.sparql is not None:
        return _queried_devices(target.sparql, user)
    return list(_described_devices(target, now))


def _described_devices(target: Target, now: datetime) -> QuerySet[Device]:
    accepted = _as_planned(Device.objects.filter(status=DeviceStatus.ACCEPTED))
    if target.fleet is not None:
        _check_fleet(target.fleet)
        return accepted.filter(fleets__slug=target.fleet)
    if target.where is not None:
        return accepted.filter(selecting(read_filter(target.where), now))
    return accepted


def _queried_devices(query: str, user: User | None) -> list[Device]:
    try:
        names = selected_ids(query, user)
    except SelectionError as error:
        raise TargetError(str(error)) from error
    found: list[Device] = []
    for chunk in chunks(names):
        rows = Device.objects.filter(device_id__in=chunk, status=DeviceStatus.ACCEPTED)
        found += _as_planned(rows)
    return sorted(found, key=lambda device: device.device_id)


def _nobody(target: Target) -> str:
    if target.fleet is not None:
        return f"The fleet {target.fleet!r} has"
    if target.where is not None:
        return f"The filter {target.where[:80]!r} selects"
    return "There is" if target.sparql is None else "The query yields"


def _as_planned(devices: QuerySet[Device]) -> QuerySet[Device]:
    """With what planning reads: the keys of what it points to, none of the long texts."""
    return devices.only("device_id", "status", "profile", "installed")


def _check_fleet(slug: str) -> None:
    if not Fleet.objects.filter(slug=slug).exists():
        raise TargetError(f"There is no fleet {slug!r}.")


def _named_devices(names: Sequence[str]) -> list[Device]:
    found: dict[str, Device] = {}
    for chunk in chunks(names):
        rows = _as_planned(Device.objects.filter(device_id__in=chunk))
        found |= {device.device_id: device for device in rows}
    _refuse("There is no device", [name for name in names if name not in found])
    outside = [d.device_id for d in found.values() if d.status != DeviceStatus.ACCEPTED]
    _refuse("Not accepted, so nothing can be sent to", outside)
    return sorted(found.values(), key=lambda device: device.device_id)


def _refuse(what: str, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise TargetError(f"{what} {', '.join(names[:_SHOWN])}{more}.")
