"""The Things directory as its clients use it: create, replace, patch, delete, list, expire.

Source: W3C WoT Discovery, section 7.3.2.2 (Things API).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Count, F, Max, QuerySet, Sum
from django.db.models.functions import Collate
from django.utils import timezone

from ontology.namespaces import IRI_LENGTH
from registry.formats.merge_patch import merged
from registry.formats.td.document import read_document
from registry.formats.td.refusal import shown
from registry.formats.thing_description import DescriptionError, DeviceDescription
from registry.models import Device, ThingRegistration
from registry.projection.things import description_limits
from registry.services import registrations
from registry.services.device_names import device_id_for, readable_id
from registry.services.things import apply_description, parse

__all__ = ["DescriptionError", "Page", "Precondition", "Saved"]

log = structlog.get_logger(__name__)

_PURGED_AT_ONCE = 200


class NotRegistered(LookupError):
    """There is no such thing in the directory."""


class NameTaken(ValueError):
    """Another registration stands in the way; the message says which."""


class ChangedMeanwhile(Exception):
    """The thing is not in the state that the client named."""


@dataclass(frozen=True, slots=True)
class Precondition:
    """The states of a thing that a client takes for granted (RFC 9110, section 13.1).

    `states` are entity tags, None for any; the thing is in none of `other_states`; `only_new`
    forbids that it exists.
    """

    states: Collection[str] | None = None
    must_exist: bool = False
    other_states: Collection[str] = ()
    only_new: bool = False

    def check(self, row: ThingRegistration | None) -> None:
        """Raise ChangedMeanwhile where it does not hold."""
        self.check_match(row)
        if row is not None and self.excludes(row):
            already = "there is such a thing already"
            raise ChangedMeanwhile(already if self.only_new else f"{already}, in a state named")

    def check_match(self, row: ThingRegistration | None) -> None:
        """Raise ChangedMeanwhile where the thing is not in the state that is taken for granted."""
        if row is None:
            if self.states is not None or self.must_exist:
                raise ChangedMeanwhile("there is no such thing any more")
        elif self.states is not None and state_of(row) not in self.states:
            raise ChangedMeanwhile("the thing was changed meanwhile")

    def excludes(self, row: ThingRegistration) -> bool:
        """Whether the thing is what it must not be: to a reader, what it has already."""
        return self.only_new or state_of(row) in self.other_states


NONE_ASKED = Precondition()


@dataclass(frozen=True, slots=True)
class Saved:
    """A thing as it is registered now, and whether it was not before."""

    row: ThingRegistration
    is_new: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Some registrations in the order of their ids, out of `total`; `state` is the whole's."""

    rows: list[ThingRegistration]
    total: int
    more: bool
    state: str


def state_of(row: ThingRegistration) -> str:
    """What tells one state of a thing from every other: when it was registered, and its version."""
    return f"{int(row.created.timestamp() * 1_000_000):x}-{row.version}"


# ---------------------------------------------------------------------- one thing


def find(thing_id: str) -> ThingRegistration:
    """A registration with its device, or NotRegistered."""
    row = registrations.current(timezone.now()).filter(thing_id=thing_id).first()
    if row is None:
        raise NotRegistered(thing_id)
    return row


@transaction.atomic
def create_anonymous(td: bytes) -> ThingRegistration:
    """Register a description without id under a new local one; the same text twice is two things.

    Raises DescriptionError, also for one that has an id.
    """
    said = parse(td)
    if said.thing.id is not None:
        problem = f"is {shown(said.thing.id)}, but only a description without id is posted"
        raise DescriptionError("/id", problem, "PUT it at /things/ followed by its id")
    local_id = registrations.new_local_id()
    name = readable_id(said.thing.title, local_id.encode())
    device = Device.objects.create(device_id=name)
    apply_description(device, td, said, local_id)
    return ThingRegistration.objects.select_related("device").get(device=device)


@transaction.atomic
def put(thing_id: str, td: bytes, condition: Precondition = NONE_ASKED) -> Saved:
    """Register a description under its id, or replace the one that is registered under it.

    Raises DescriptionError, NameTaken and ChangedMeanwhile; then nothing is changed.
    """
    said = parse(td)
    row = _locked(thing_id)
    device = _device_for(thing_id) if row is None else row.device
    # Somebody may have registered it while we waited for the device's row.
    row = row or ThingRegistration.objects.select_related("device").filter(device=device).first()
    condition.check(row)
    _check_id(said, thing_id, row)
    apply_description(device, td, said)
    kept = ThingRegistration.objects.select_related("device").get(device=device)
    return Saved(kept, is_new=row is None)


@transaction.atomic
def patch(thing_id: str, change: bytes, condition: Precondition = NONE_ASKED) -> ThingRegistration:
    """Apply a JSON merge patch to a registered description (RFC 7396).

    Raises NotRegistered, ChangedMeanwhile, and DescriptionError for a patch that is none and for a
    result that is no valid description.
    """
    partial = read_document(change, description_limits())
    row = _locked(thing_id)
    if row is None:
        raise NotRegistered(thing_id)
    condition.check(row)
    whole = merged(registrations.document_of(row.device.td), partial)
    td = json.dumps(whole, ensure_ascii=False).encode()
    said = parse(td)
    _check_id(said, thing_id, row)
    apply_description(row.device, td, said)
    return ThingRegistration.objects.get(pk=row.pk)


@transaction.atomic
def delete(thing_id: str, condition: Precondition = NONE_ASKED) -> None:
    """End a registration; see `registrations.remove` for what becomes of the device."""
    row = _locked(thing_id)
    if row is None:
        raise NotRegistered(thing_id)
    condition.check(row)
    registrations.remove(row)


def _locked(thing_id: str) -> ThingRegistration | None:
    """The registration, its device's row locked before it is read; None for one that expired.

    One that expired and was not purged yet is purged now.
    """
    found = ThingRegistration.objects.filter(thing_id=thing_id).first()
    if found is None:
        return None
    device = Device.objects.select_for_update().filter(pk=found.device_id).first()
    row = ThingRegistration.objects.filter(thing_id=thing_id, device=device).first()
    if device is None or row is None:  # deleted while we waited for the lock
        return None
    row.device = device
    if row.expires is not None and row.expires <= timezone.now():
        registrations.remove(row)
        return None
    return row


def _device_for(thing_id: str) -> Device:
    """The device of a thing that is not registered, its row locked; made where there is none."""
    device_id = device_id_for(thing_id)
    device, is_new = Device.objects.select_for_update().get_or_create(device_id=device_id)
    other = None if is_new else ThingRegistration.objects.filter(device=device).first()
    if other is not None and other.thing_id != thing_id:
        raise NameTaken(f"the device {device_id} is registered as {other.thing_id}")
    return device


def _check_id(said: DeviceDescription, thing_id: str, row: ThingRegistration | None) -> None:
    """The id in the address is the description's own; one without may stay without."""
    own = said.thing.id
    if own is None and row is not None and "id" not in registrations.document_of(row.device.td):
        return
    if own is None:
        problem = "lacks id, which stands in the address"
        raise DescriptionError("", problem, "Add the id, or POST the description to /things")
    if own != thing_id:
        problem = f"is {shown(own)}, not the {shown(thing_id)} of the address"
        raise DescriptionError("/id", problem, "Write the same id in both")
    if len(own) > IRI_LENGTH:
        problem = f"has {len(own)} characters, more than the {IRI_LENGTH} allowed"
        raise DescriptionError("/id", problem, "Give the thing a shorter id")


# ---------------------------------------------------------------------- all things


def page(limit: int, offset: int = 0, after: str | None = None) -> Page:
    """Registrations by Unicode code point order of their ids.

    With `after` the page begins behind that id and not at an offset, so that nothing is left out or
    given twice where others come and go while a client turns pages.
    """
    now = timezone.now()
    total, state = _state(now)
    rows = in_order(registrations.current(now))
    if after is not None:
        found = list(rows.filter(place__gt=after)[: limit + 1])
    else:
        found = list(rows[offset : offset + limit + 1])
    return Page(found[:limit], total, len(found) > limit, state)


def in_order(rows: QuerySet[ThingRegistration]) -> QuerySet[Any]:
    """By code points, whatever the database's language; the column is called `place` then."""
    collation = "C" if connection.vendor == "postgresql" else "BINARY"
    return rows.annotate(place=Collate(F("thing_id"), collation)).order_by("place")


def _state(now: datetime) -> tuple[int, str]:
    """How many there are, and what changes with every change to any of them."""
    seen: dict[str, Any] = registrations.current(now).aggregate(
        count=Count("id"), newest=Max("modified"), changes=Sum("version")
    )
    newest = int(seen["newest"].timestamp() * 1_000_000) if seen["newest"] else 0
    return seen["count"], f"{seen['count']:x}-{newest:x}-{seen['changes'] or 0:x}"


def purge(now: datetime) -> int:
    """Remove what has expired, a bounded number at once; how many went."""
    names = ThingRegistration.objects.filter(expires__lte=now).values_list("thing_id", flat=True)
    return sum(_purge(name) for name in list(names[:_PURGED_AT_ONCE]))


@transaction.atomic
def _purge(thing_id: str) -> int:
    return int(_locked(thing_id) is None)


def exposed_all(rows: Iterable[ThingRegistration], at: datetime) -> list[dict[str, Any]]:
    """The descriptions as clients get them at that time."""
    return [registrations.exposed(row, retrieved=at) for row in rows]
