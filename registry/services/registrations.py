"""Rows of the Things directory: every device with a description is registered in it.

Whoever changes a registration holds the lock on its device's row, so two changes of one thing come
one after the other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import structlog
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, Q, QuerySet

from ontology.namespaces import IRI_LENGTH
from registry.formats.merge_patch import difference
from registry.formats.td.registration import Registration, enriched
from registry.formats.thing_description import DeviceDescription
from registry.models import Device, DeviceStatus, SubjectKind, ThingEventKind, ThingRegistration
from registry.services import thing_events
from registry.services.device_names import OWN_URN
from registry.services.graph_outbox import mark

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Announced:
    """A description as it is to be registered, and the text that it replaces, if any."""

    said: DeviceDescription
    before: str
    at: datetime
    local_id: str = ""


def current(now: datetime) -> QuerySet[ThingRegistration]:
    """What is in the directory: registrations that have not expired, with their descriptions."""
    alive = Q(expires=None) | Q(expires__gt=now)
    return ThingRegistration.objects.filter(alive).select_related("device")


def exposed(
    row: ThingRegistration, td: str | None = None, retrieved: datetime | None = None
) -> dict[str, Any]:
    """The description with its registration information, as clients get it."""
    document = document_of(row.device.td if td is None else td)
    known = Registration(row.thing_id, row.created, row.modified, row.expires, row.ttl_s)
    return enriched(document, known, retrieved)


def document_of(td: str) -> dict[str, Any]:
    """A kept description as JSON; some begin with a byte order mark, which is kept with them."""
    document: dict[str, Any] = json.loads(td.removeprefix("\ufeff"))
    return document


def new_local_id() -> str:
    """The name of a description that has none: a UUID version 4 as a URN (RFC 9562)."""
    return uuid4().urn


def keep(device: Device, announced: Announced) -> bool:
    """Register a device's description or what is new in it; whether it was not registered before.

    Call within the transaction that stored the description, the device's row locked.
    """
    row = ThingRegistration.objects.filter(device=device).select_related("device").first()
    name = _name(device, announced, row)
    if row is not None and (row.thing_id != name or _expired(row, announced.at)):
        _take_out(row)
        row = None
    if row is None:
        _enter(device, name, announced)
        return True
    row.device = device
    _renew(row, announced)
    return False


def _name(device: Device, announced: Announced, row: ThingRegistration | None) -> str:
    """The description's own id, where nothing else goes by it, or a local one.

    Of devices that claim the same id the first keeps it, unless it is a mere candidate: then a
    device that has said so itself is believed.
    """
    claimed = announced.said.thing.id
    if claimed is None:
        return row.thing_id if row else announced.local_id or new_local_id()
    if row is not None and row.thing_id == claimed:
        return claimed
    if len(claimed) > IRI_LENGTH:
        return f"{OWN_URN}{device.device_id}"
    holder = ThingRegistration.objects.filter(thing_id=claimed).select_related("device").first()
    if holder is not None and not (is_candidate(holder.device) and not is_candidate(device)):
        return f"{OWN_URN}{device.device_id}"
    if holder is not None:
        holder.device = Device.objects.select_for_update().get(pk=holder.device.pk)
        remove(holder)
    return claimed


def _enter(device: Device, name: str, announced: Announced) -> None:
    try:
        with transaction.atomic():
            row = _created(device, name, announced)
    except IntegrityError:  # another device took the name since we looked
        row = _created(device, f"{OWN_URN}{device.device_id}", announced)
    mark(SubjectKind.DEVICE, device.device_id)
    thing_events.record(ThingEventKind.CREATED, row.thing_id, exposed(row))
    log.info("thing_registered", thing=row.thing_id, device=device.device_id)


def _created(device: Device, name: str, announced: Announced) -> ThingRegistration:
    lifetime, now = announced.said.lifetime, announced.at
    return ThingRegistration.objects.create(
        thing_id=name,
        device=device,
        created=now,
        modified=now,
        ttl_s=lifetime.ttl_s,
        expires=lifetime.end(now),
    )


def _renew(row: ThingRegistration, announced: Announced) -> None:
    """The same description again only renews a relative lifetime."""
    lifetime, now = announced.said.lifetime, announced.at
    if announced.before == row.device.td:
        expires = lifetime.end(now)
        if expires != row.expires:
            row.expires = expires
            row.save(update_fields=["expires"])
        return
    old = exposed(row, announced.before) if announced.before else {}
    row.modified, row.version = now, row.version + 1
    row.ttl_s, row.expires = lifetime.ttl_s, lifetime.end(now)
    row.save()
    patch = difference(old, exposed(row)) | {"id": row.thing_id}
    thing_events.record(ThingEventKind.UPDATED, row.thing_id, patch)
    log.info("thing_updated", thing=row.thing_id, device=row.device.device_id)


def remove(row: ThingRegistration) -> None:
    """Take a thing out of the directory, and with it a device that is a mere candidate.

    A device that was decided on, that enrolled or that others describe too stays with its history;
    so does its description. Call with the device's row locked.
    """
    device = row.device
    _take_out(row)
    if is_candidate(device):
        _delete_candidate(device)


def is_candidate(device: Device) -> bool:
    """Whether a device is known by its description alone, and nobody has decided on it."""
    waits = device.status == DeviceStatus.PENDING
    return waits and not device.public_key and not device.iri


def _take_out(row: ThingRegistration) -> None:
    thing_events.record(ThingEventKind.DELETED, row.thing_id, None)
    mark(SubjectKind.DEVICE, row.device.device_id)
    row.delete()
    log.info("thing_removed", thing=row.thing_id, device=row.device.device_id)


def _delete_candidate(device: Device) -> None:
    try:
        with transaction.atomic():
            device.delete()
    except ProtectedError:  # figures were taken on it: it stays in the inventory
        log.info("candidate_kept", device=device.device_id)


def _expired(row: ThingRegistration, now: datetime) -> bool:
    return row.expires is not None and row.expires <= now
