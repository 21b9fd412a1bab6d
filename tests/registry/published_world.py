"""The catalogue with its published facts, and devices to ask about them."""

from __future__ import annotations

from registry.models import (
    BoardType,
    CapabilityProfile,
    Device,
    DeviceStatus,
    FirmwareBuild,
    Runtime,
)
from registry.services.published import load_published

GIGABYTE = 10**9


# The boards of the hardware catalogue that published figures name beside their own platforms.
_BOARDS = ("disco-f746ng", "nucleo-g0b1re", "nucleo-l4r5zi", "nucleo-u575zi-q")


def load_facts() -> None:
    """The published facts alone: the whole catalogue of hardware takes longer and adds nothing."""
    for slug in _BOARDS:
        BoardType.objects.create(slug=slug, name=slug, vendor="V", mcu="M", core="c", source="s")
    load_published()


def make_device(
    name: str, board: str, ram: int, flash: int = 10**10, runtime: dict[str, str] | None = None
) -> Device:
    """An accepted device whose firmware declares this much memory, in bytes."""
    row, _ = Runtime.objects.get_or_create(**(runtime or {"name": "litert", "version": "1"}))
    firmware = FirmwareBuild.objects.create(
        board=BoardType.objects.get(slug=board),
        name=name,
        version="1",
        runtime=row,
        arena_budget_bytes=ram,
        slot_bytes=flash,
        capacity_digest=name,
    )
    profile = CapabilityProfile.objects.create(
        digest=name, board=firmware.board, firmware=firmware, sensors=[]
    )
    return Device.objects.create(device_id=name, status=DeviceStatus.ACCEPTED, profile=profile)
