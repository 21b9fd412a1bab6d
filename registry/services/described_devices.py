"""A device that a description speaks of, as rows: its board type, its capacity and itself."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.utils.text import slugify

from ontology.descriptions import DescribedDevice
from ontology.facts import Sensor
from registry.models import BoardType, CapabilityProfile, Device, FirmwareBuild
from registry.services.changes import Change, update
from registry.services.device_names import device_id_for
from registry.services.profiles import digest_of, profile_for

_SLUG_LENGTH = 80
_NAME_LENGTH = 160


def keep_device(said: DescribedDevice) -> Change:
    """Create or update the device of this IRI. It waits like any other: nobody has enrolled it.

    A device that has described itself is believed over what others say of its abilities.
    """
    device_id = device_id_for(said.iri)
    known = Device.objects.filter(Q(iri=said.iri) | Q(device_id=device_id))
    row = known.order_by("-iri").first()
    values: dict[str, Any] = {"iri": said.iri, "description": said.description}
    if row is None or not row.td:
        values["profile"] = _profile(said)
    if row is None:
        Device.objects.create(device_id=device_id, **values)
        return Change.CREATED
    return Change.UPDATED if update(row, values) else Change.UNCHANGED


def _profile(said: DescribedDevice) -> CapabilityProfile | None:
    """None where a description says nothing that a network could be judged by."""
    memory = (said.ram_bytes, said.flash_bytes)
    if memory == (None, None) and said.sensors is None:
        return None
    board = _board(said)
    firmware = None if memory == (None, None) else _firmware(board, said)
    sensors = None if said.sensors is None else [Sensor(kind) for kind in said.sensors]
    return profile_for(board, firmware, sensors)


def _board(said: DescribedDevice) -> BoardType:
    """The board type of that name; one that the catalogue has stays as it is there."""
    name = (said.description or said.name or said.iri)[:_NAME_LENGTH]
    slug = slugify(name)[:_SLUG_LENGTH].strip("-_") or device_id_for(said.iri)
    facts = {"name": name, "source": said.iri}
    board, _ = BoardType.objects.get_or_create(slug=slug, defaults=facts)
    return board


def _firmware(board: BoardType, said: DescribedDevice) -> FirmwareBuild:
    """What is free for networks is declared capacity, of firmware that the description omits."""
    capacity = {"arena_budget_bytes": said.ram_bytes, "slot_bytes": said.flash_bytes}
    build, _ = FirmwareBuild.objects.get_or_create(
        board=board,
        name="",
        version="",
        capacity_digest=digest_of(capacity | {"operators": None, "dtypes": None, "runtime": None}),
        defaults=capacity,
    )
    return build
