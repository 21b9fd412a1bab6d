"""Which devices a rollout is meant for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from registry.models import Device, DeviceStatus, Fleet
from registry.services.pieces import chunks

_SHOWN = 5


class RolloutError(Exception):
    """A rollout that cannot be as it was asked for; the message is a sentence for who asked."""


@dataclass(frozen=True, slots=True)
class Target:
    """Exactly one of: every accepted device, one fleet, or named devices."""

    everyone: bool = False
    fleet: str | None = None
    devices: tuple[str, ...] = ()


def parse_target(raw: Any) -> Target:
    """Read `{"all": true}`, `{"fleet": slug}` or `{"devices": [ids]}`; else RolloutError."""
    if not isinstance(raw, dict) or len(raw) != 1:
        raise RolloutError('A target is {"all": true}, {"fleet": slug} or {"devices": [ids]}.')
    kind, value = next(iter(raw.items()))
    if kind == "all" and value is True:
        return Target(everyone=True)
    if kind == "fleet" and _is_name(value):
        return Target(fleet=value)
    if kind == "devices" and _is_names(value):
        return Target(devices=tuple(dict.fromkeys(value)))
    raise RolloutError(f"The target {kind!r} does not take {str(value)[:80]!r}.")


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_name, value))


def _is_name(value: Any) -> bool:
    """PostgreSQL takes no text with a NUL, not even to compare with."""
    return isinstance(value, str) and bool(value) and "\0" not in value


def devices_of(target: Target) -> list[Device]:
    """The accepted devices that the target names now, by id; RolloutError where there are none.

    A device that is named one by one must exist and be accepted: a typing error must not silently
    shrink a rollout. A fleet or "all" leaves out those that are not accepted.
    """
    if target.devices:
        return _named_devices(target.devices)
    accepted = _with_profile(Device.objects.filter(status=DeviceStatus.ACCEPTED))
    if target.fleet is not None:
        _check_fleet(target.fleet)
        accepted = accepted.filter(fleets__slug=target.fleet)
    devices = list(accepted)
    if not devices:
        where = "There is" if target.fleet is None else f"The fleet {target.fleet!r} has"
        raise RolloutError(f"{where} no accepted device.")
    return devices


def _with_profile(devices: QuerySet[Device]) -> QuerySet[Device]:
    """With what planning reads, without the long texts that it does not."""
    return devices.select_related("profile", "installed").defer("td", "public_key")


def _check_fleet(slug: str) -> None:
    if not Fleet.objects.filter(slug=slug).exists():
        raise RolloutError(f"There is no fleet {slug!r}.")


def _named_devices(names: Sequence[str]) -> list[Device]:
    found: dict[str, Device] = {}
    for chunk in chunks(names):
        rows = _with_profile(Device.objects.filter(device_id__in=chunk))
        found |= {device.device_id: device for device in rows}
    _refuse("There is no device", [name for name in names if name not in found])
    outside = [d.device_id for d in found.values() if d.status != DeviceStatus.ACCEPTED]
    _refuse("Not accepted, so nothing can be sent to", outside)
    return sorted(found.values(), key=lambda device: device.device_id)


def _refuse(what: str, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise RolloutError(f"{what} {', '.join(names[:_SHOWN])}{more}.")
