"""The reported half of the device shadow: who is there, and what runs there.

Devices say these as levels, retained, again and again, so the newest word wins and a lost message
is made good by the next. "Newest" is by boot count: what an older boot left behind (a last will
that the broker sent late, a retained message) says nothing of the present.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db.models import Q

from orchestrator.models import DeviceShadow
from orchestrator.protocol.messages import Online, State
from orchestrator.services import deployments
from registry.models import Device
from registry.services.row_sets import update_rows

log = structlog.get_logger(__name__)

_LEVEL = ("online", "boot", "digest", "slot", "sequence")
_SEEN_AGAIN = timedelta(seconds=5)
"""How exactly it is kept when a device was last heard: several words at once are one writing."""


@dataclass(slots=True)
class _Level:
    """What is kept of a device's own words."""

    online: bool
    boot: int
    digest: str
    slot: int | None
    sequence: int

    def take(self, state: State, device: Device) -> bool:
        """Keep what it runs; False for the word of an older boot."""
        if state.boot < self.boot:
            log.info("older_boot_ignored", device=device.device_id, boot=state.boot)
            return False
        self.boot, self.digest = state.boot, state.digest or ""
        self.slot, self.sequence = state.slot, state.sequence
        return True


def apply_online(words: Sequence[tuple[Device, Online]]) -> None:
    """Take presence in the order in which it came, wills included."""
    levels = _levels(device for device, _ in words)
    for device, word in words:
        level = levels[device.pk]
        if word.boot < level.boot:
            log.info("older_boot_ignored", device=device.device_id, boot=word.boot)
            continue
        if level.online != word.online:
            log.info("device_online" if word.online else "device_offline", device=device.device_id)
        level.online, level.boot = word.online, word.boot
    _save(levels)


def apply_states(words: Sequence[tuple[Device, State]], now: datetime) -> None:
    """Take what devices run, and let open deployments be reconciled with it."""
    levels = _levels(device for device, _ in words)
    current = [(device, state) for device, state in words if levels[device.pk].take(state, device)]
    _save(levels)
    deployments.apply_states(current, now)


def touch(devices: Iterable[Device], now: datetime) -> None:
    """Something was heard from these devices."""
    shadows = DeviceShadow.objects.filter(device__pk__one_of=[device.pk for device in devices])
    just_now = Q(last_seen_at__gt=now - _SEEN_AGAIN, last_seen_at__lte=now)
    shadows.filter(Q(last_seen_at=None) | ~just_now).update(last_seen_at=now)


def shadows_of(devices: Iterable[Device], *fields: str) -> dict[int, tuple[Any, ...]]:
    """Some fields of the devices' shadows by device key; a shadow is made where one is missing."""
    keys = {device.pk for device in devices}
    found = _fields(keys, fields)
    missing = sorted(keys - found.keys())
    if missing:
        new = [DeviceShadow(device_id=key) for key in missing]
        DeviceShadow.objects.bulk_create(new, ignore_conflicts=True)
        found |= _fields(missing, fields)
    return found


def _fields(keys: Iterable[int], fields: Sequence[str]) -> dict[int, tuple[Any, ...]]:
    shadows = DeviceShadow.objects.filter(device__pk__one_of=keys)
    return {key: tuple(values) for key, *values in shadows.values_list("device_id", *fields)}


def _levels(devices: Iterable[Device]) -> dict[int, _Level]:
    return {key: _Level(*values) for key, values in shadows_of(devices, *_LEVEL).items()}


def _save(levels: dict[int, _Level]) -> None:
    rows = [
        (key, level.online, level.boot, level.digest, level.slot, level.sequence)
        for key, level in levels.items()
    ]
    update_rows(DeviceShadow, ("device",), _LEVEL, rows)
