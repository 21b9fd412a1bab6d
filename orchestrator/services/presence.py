"""The reported half of the device shadow: who is there, and what runs there.

Devices say these as levels, retained, again and again, so the newest word wins and a lost message
is made good by the next. "Newest" is by boot count: what an older boot left behind (a last will
that the broker sent late, a retained message) says nothing of the present.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import structlog

from orchestrator.models import DeviceShadow
from orchestrator.protocol.messages import Online, State
from orchestrator.services import deployments
from registry.models import Device
from registry.services.pieces import CHUNK

log = structlog.get_logger(__name__)

_FIELDS = ["online", "boot", "digest", "slot", "sequence"]


def apply_online(words: Sequence[tuple[Device, Online]]) -> None:
    """Take presence in the order in which it came, wills included."""
    shadows = shadows_of(device for device, _ in words)
    for device, word in words:
        shadow = shadows[device.pk]
        if word.boot < shadow.boot:
            log.info("older_boot_ignored", device=device.device_id, boot=word.boot)
            continue
        if shadow.online != word.online:
            log.info("device_online" if word.online else "device_offline", device=device.device_id)
        shadow.online, shadow.boot = word.online, word.boot
    save(shadows.values(), _FIELDS)


def apply_states(words: Sequence[tuple[Device, State]], now: datetime) -> None:
    """Take what devices run, and let open deployments be reconciled with it."""
    shadows = shadows_of(device for device, _ in words)
    current = [(device, state) for device, state in words if _keep(shadows[device.pk], state)]
    save(shadows.values(), _FIELDS)
    deployments.apply_states(current, now)


def touch(devices: Iterable[Device], now: datetime) -> None:
    """Something was heard from these devices."""
    DeviceShadow.objects.filter(device__in=list(devices)).update(last_seen_at=now)


def shadows_of(devices: Iterable[Device]) -> dict[int, DeviceShadow]:
    """The devices' shadows by device key, made where one is missing."""
    keys = {device.pk for device in devices}
    found = {s.device_id: s for s in DeviceShadow.objects.filter(device__in=keys)}
    missing = keys - found.keys()
    if missing:
        new = [DeviceShadow(device_id=key) for key in missing]
        DeviceShadow.objects.bulk_create(new, ignore_conflicts=True)
        found |= {s.device_id: s for s in DeviceShadow.objects.filter(device__in=missing)}
    return found


def _keep(shadow: DeviceShadow, state: State) -> bool:
    if state.boot < shadow.boot:
        log.info("older_boot_ignored", device=shadow.device_id, boot=state.boot)
        return False
    shadow.boot, shadow.digest = state.boot, state.digest or ""
    shadow.slot, shadow.sequence = state.slot, state.sequence
    return True


def save(shadows: Iterable[DeviceShadow], fields: Sequence[str]) -> None:
    """Write some fields of shadows that are there already.

    An insertion that gives way to the row before it is one short statement for all of them; an
    update of many rows to different values names each row once a field.
    """
    rows = [
        DeviceShadow(device_id=shadow.device_id, **{name: getattr(shadow, name) for name in fields})
        for shadow in shadows
    ]
    DeviceShadow.objects.bulk_create(
        rows,
        batch_size=CHUNK,
        update_conflicts=True,
        unique_fields=["device"],
        update_fields=list(fields),
    )
