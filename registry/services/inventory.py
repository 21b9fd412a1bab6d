"""Devices, fleets and models as people and the enrolment change them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog
from django.db import transaction

from registry.models import (
    Device,
    DeviceStatus,
    Fleet,
    RegisteredModel,
    SubjectKind,
    Variant,
)
from registry.services.graph_outbox import mark

log = structlog.get_logger(__name__)


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
    mark(SubjectKind.DEVICE, device_id)
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


@transaction.atomic
def save_fleet(fleet: Fleet, devices: Iterable[Device] | None = None) -> Fleet:
    """Store a fleet; with `devices` these become its members, without it they stay."""
    fleet.save()
    if devices is not None:
        before = set(fleet.devices.values_list("device_id", flat=True))
        fleet.devices.set(devices)
        after = set(fleet.devices.values_list("device_id", flat=True))
        for device_id in sorted(before ^ after):
            mark(SubjectKind.DEVICE, device_id)
    mark(SubjectKind.FLEET, fleet.slug)
    return fleet


@transaction.atomic
def delete_fleet(fleet: Fleet) -> None:
    """Remove a fleet; its devices stay."""
    for device_id in fleet.devices.values_list("device_id", flat=True):
        mark(SubjectKind.DEVICE, device_id)
    mark(SubjectKind.FLEET, fleet.slug)
    fleet.delete()


@transaction.atomic
def save_model(model: RegisteredModel) -> RegisteredModel:
    """Store a model's task, description, champion and challenger."""
    model.save()
    mark(SubjectKind.MODEL, model.name)
    return model
