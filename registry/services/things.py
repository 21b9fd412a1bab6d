"""Devices as they describe themselves: a Thing Description becomes rows, or nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from registry.formats.thing_description import (
    DeclaredFirmware,
    DeclaredRuntime,
    DescriptionError,
    DeviceDescription,
    parse_description,
)
from registry.models import (
    BoardType,
    CapabilityProfile,
    Device,
    FirmwareBuild,
    Runtime,
)
from registry.services.profiles import bare_profile, digest_of, profile_for

__all__ = ["DescriptionError", "describe_device", "urn_of"]

log = structlog.get_logger(__name__)


def urn_of(device_id: str) -> str:
    """The identifier that a device's description must carry."""
    return f"urn:tinyfleet:device:{device_id}"


def describe_device(device: Device, td: bytes) -> Device:
    """Store a device's Thing Description as it came and derive its profile from it.

    Raises DescriptionError, a sentence that names the place as a JSON pointer, and changes nothing,
    where the description is malformed, another thing's, or of a board that the catalogue lacks.
    The same description again writes nothing.
    """
    said = parse_description(td, settings.DESCRIPTION_MAX_BYTES)
    if said.id != urn_of(device.device_id):
        raise DescriptionError("/id", f"is {said.id!r}, not {urn_of(device.device_id)!r}")
    with transaction.atomic():
        profile = _profile(said)
        row = Device.objects.select_for_update().get(pk=device.pk)
        text = td.decode("utf-8")
        if row.td != text or row.profile_id != (profile.pk if profile else None):
            row.td, row.profile = text, profile
            row.save(update_fields=["td", "profile"])
            log.info("device_described", device=row.device_id, board=said.board)
    device.td, device.profile = row.td, profile
    return row


def _profile(said: DeviceDescription) -> CapabilityProfile | None:
    if said.board is None:
        return None
    board = BoardType.objects.filter(slug=said.board).first()
    if board is None:
        problem = f"is {said.board!r}, which the catalogue does not have"
        raise DescriptionError(said.board_pointer, problem)
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
