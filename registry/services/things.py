"""Devices as they are described: a Thing Description becomes rows, or nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from registry.formats.td.refusal import shown
from registry.formats.thing_description import (
    DeclaredCapacity,
    DeclaredFirmware,
    DeclaredRuntime,
    DescriptionError,
    DeviceDescription,
    Remark,
    parse_description,
)
from registry.models import (
    BoardType,
    CapabilityProfile,
    Device,
    FirmwareBuild,
    Runtime,
)
from registry.projection.things import description_limits
from registry.services import registrations
from registry.services.changes import Change
from registry.services.device_names import OWN_URN, device_id_for, readable_id
from registry.services.profiles import bare_profile, digest_of, profile_for

__all__ = ["Change", "Described", "DescriptionError", "describe_device", "import_thing", "urn_of"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Described:
    """What came of an imported description."""

    device_id: str
    outcome: Change
    remarks: tuple[Remark, ...]


def urn_of(device_id: str) -> str:
    """The identifier by which one of our own devices names itself."""
    return f"{OWN_URN}{device_id}"


def describe_device(device: Device, td: bytes) -> Device:
    """Store the Thing Description that a device sent as it came and derive its profile from it.

    Raises DescriptionError, a sentence that names the place as a JSON pointer, and changes nothing,
    where the description is malformed, another thing's, or of a board that the catalogue lacks.
    The same description again writes nothing.
    """
    said = parse(td)
    _check_own(said.thing.id, device)
    with transaction.atomic():
        row = Device.objects.select_for_update().get(pk=device.pk)
        apply_description(row, td, said)
    device.td, device.profile = row.td, row.profile
    return row


def _check_own(identity: str | None, device: Device) -> None:
    """A device may keep the id that its maker gave it, but not use another device's."""
    own = urn_of(device.device_id)
    if identity is not None and identity.startswith(OWN_URN) and identity != own:
        problem = f"is {shown(identity)}, not {own!r}"
        raise DescriptionError("/id", problem, "A device describes itself under its own name")


def import_thing(td: bytes) -> Described:
    """A thing by the description that somebody brought, as a device of the inventory.

    A thing is known again by its `id`; one without is what its description says, byte for byte.
    Raises DescriptionError as `describe_device` does, and then changes nothing.
    """
    said = parse(td)
    device_id = _device_id(said, td)
    with transaction.atomic():
        row, is_new = Device.objects.select_for_update().get_or_create(device_id=device_id)
        changed = apply_description(row, td, said)
    outcome = Change.UPDATED if changed else Change.UNCHANGED
    return Described(device_id, Change.CREATED if is_new else outcome, said.remarks)


def device_id_of(td: bytes) -> str:
    """The device that a description is of, or would be; DescriptionError where it is refused."""
    return _device_id(parse(td), td)


def parse(td: bytes) -> DeviceDescription:
    """What a description says, or DescriptionError within this installation's limits."""
    return parse_description(td, description_limits())


def _device_id(said: DeviceDescription, td: bytes) -> str:
    """By its id; one without is named by its title and told apart by all that it says."""
    thing = said.thing
    return readable_id(thing.title, td) if thing.id is None else device_id_for(thing.id)


def apply_description(row: Device, td: bytes, said: DeviceDescription, local_id: str = "") -> bool:
    """Store a description, its profile and its registration; whether the device is another now.

    Call with the row locked. `local_id` is the name in the directory of a description without id.
    """
    profile, before, text = _profile(said.capacity), row.td, td.decode("utf-8")
    changed = before != text or row.profile_id != (profile.pk if profile else None)
    if changed:
        row.td, row.profile = text, profile
        row.save(update_fields=["td", "profile"])
        log.info("device_described", device=row.device_id, board=said.capacity.board)
    registrations.keep(row, registrations.Announced(said, before, timezone.now(), local_id))
    return changed


def _profile(said: DeclaredCapacity) -> CapabilityProfile | None:
    if said.board is None:
        return None
    board = BoardType.objects.filter(slug=said.board).first()
    if board is None:
        raise DescriptionError(
            said.board_pointer,
            f"is {shown(said.board)}, which the catalogue does not have",
            "Add the board to the catalogue, or name one that is there",
        )
    if said.firmware is None:
        return bare_profile(board)
    return profile_for(board, _firmware(board, said.firmware), said.sensors)


def _firmware(board: BoardType, declared: DeclaredFirmware) -> FirmwareBuild:
    """The build with exactly this capacity; another capacity under the same version is another."""
    capacity = _capacity(declared)
    build, _ = FirmwareBuild.objects.get_or_create(
        board=board,
        name=declared.name,
        version=declared.version,
        capacity_digest=digest_of(capacity | {"runtime": _identity(declared.runtime)}),
        defaults=capacity | {"runtime": _runtime(declared.runtime)},
    )
    return build


def _capacity(declared: DeclaredFirmware) -> dict[str, Any]:
    return {
        "arena_budget_bytes": declared.arena_budget_bytes,
        "slot_bytes": declared.slot_bytes,
        "operators": None if declared.operators is None else dict(declared.operators),
        "dtypes": None if declared.dtypes is None else list(declared.dtypes),
    }


def _runtime(declared: DeclaredRuntime) -> Runtime:
    """A runtime that the catalogue lacks is kept without operators: unknown, not none."""
    runtime, _ = Runtime.objects.get_or_create(
        **_identity(declared), defaults={"source": "named by a device"}
    )
    return runtime


def _identity(runtime: DeclaredRuntime) -> Mapping[str, str]:
    return {"name": runtime.name, "version": runtime.version, "kernels": runtime.kernels}
