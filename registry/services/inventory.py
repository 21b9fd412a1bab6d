"""Devices and fleets as people and the enrolment change them.

Saved rows mark their graph by signal; what is changed by a query alone marks it here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog
from django.db import transaction

from registry.models import (
    Device,
    DeviceStatus,
    Fleet,
    RegisteredModel,
    Release,
    SubjectKind,
    Variant,
)
from registry.services.graph_outbox import mark, mark_all

log = structlog.get_logger(__name__)


class ForeignRelease(ValueError):
    """A release was named for a role in another model; `role` says which."""

    def __init__(self, role: str, problem: str) -> None:
        self.role = role
        super().__init__(problem)


@transaction.atomic
def accept_device(device_id: str, *, public_key: str, at: datetime) -> Device:
    """The device as a member of this installation; a known one gets the new key.

    `public_key` is PEM, SubjectPublicKeyInfo. Whether it may join has been checked by the caller.
    """
    device, _ = Device.objects.update_or_create(
        device_id=device_id,
        defaults={
            "status": DeviceStatus.ACCEPTED,
            "public_key": public_key,
            "accepted_at": at,
        },
    )
    log.info("device_accepted", device=device_id)
    return device


@transaction.atomic
def set_device_status(device: Device, status: DeviceStatus) -> None:
    """Reject, revoke or re-admit a device; the same status again writes nothing."""
    changed = Device.objects.filter(pk=device.pk).exclude(status=status).update(status=status)
    device.status = status
    if changed:
        mark(SubjectKind.DEVICE, device.device_id)
        log.info("device_status_set", device=device.device_id, status=status.value)


@transaction.atomic
def set_traits(device: Device, traits: Mapping[str, bool]) -> None:
    """State which preconditions of techniques hold where a device is used, and which do not."""
    device.traits = dict(traits)
    Device.objects.filter(pk=device.pk).update(traits=device.traits)
    mark(SubjectKind.DEVICE, device.device_id)
    log.info("traits_set", device=device.device_id, traits=sorted(device.traits))


@transaction.atomic
def set_installed(device: Device, variant: Variant | None, at: datetime) -> None:
    """Record what a device runs, as it reported it; the same variant again keeps the first time."""
    rows = Device.objects.filter(pk=device.pk)
    if rows.filter(installed=variant).exists():
        device.installed = variant
        return
    rows.update(installed=variant, installed_at=at)
    device.installed, device.installed_at = variant, at
    mark(SubjectKind.DEVICE, device.device_id)
    log.info("installed_set", device=device.device_id, variant=variant.pk if variant else None)


@transaction.atomic(savepoint=False)
def set_all_installed(running: Mapping[int, int | None], at: datetime) -> None:
    """As `set_installed`, for many devices and what each runs, by their keys.

    The queries grow with the variants, not the devices.
    """
    known = Device.objects.filter(pk__one_of=running)
    by_variant: dict[int | None, dict[int, str]] = defaultdict(dict)
    for key, device_id, installed in known.values_list("pk", "device_id", "installed"):
        if installed != running[key]:
            by_variant[running[key]][key] = device_id
    for variant, devices in by_variant.items():
        rows = Device.objects.filter(pk__one_of=devices)
        rows.update(installed=variant, installed_at=at)
        mark_all((SubjectKind.DEVICE, device_id) for device_id in devices.values())
        log.info("installed_set", devices=len(devices), variant=variant)


@transaction.atomic
def save_fleet(fleet: Fleet, devices: Iterable[Device] | None = None) -> Fleet:
    """Store a fleet; with `devices` these become its members, without it they stay."""
    fleet.save()
    if devices is not None:
        fleet.devices.set(devices)
    return fleet


@transaction.atomic
def delete_fleet(fleet: Fleet) -> None:
    """Remove a fleet; its devices stay."""
    fleet.devices.clear()
    fleet.delete()


def save_model(model: RegisteredModel) -> RegisteredModel:
    """Store a model with its champion and challenger, which must be releases of its own.

    Raises ForeignRelease otherwise.
    """
    for role in ("champion", "challenger"):
        release: Release | None = getattr(model, role)
        if release is not None and release.model_id != model.pk:
            raise ForeignRelease(role, f"{release} is no release of {model.name}")
    model.save()
    return model
