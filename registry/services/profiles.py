"""Capability profiles: what equal devices share, found or made, never changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from ontology.facts import Capacity, Sensor
from registry.models import BoardType, CapabilityProfile, FirmwareBuild
from registry.projection import facts


def profile_for(
    board: BoardType, firmware: FirmwareBuild | None, sensors: Iterable[Sensor] | None
) -> CapabilityProfile:
    """The one profile of these facts; `sensors=None` says that they are not known.

    The order of the sensors makes no difference.
    """
    rows = None if sensors is None else canonical_sensors(sensors)
    digest = profile_digest(board, firmware, rows)
    profile, _ = CapabilityProfile.objects.get_or_create(
        digest=digest, defaults={"board": board, "firmware": firmware, "sensors": rows}
    )
    return profile


def bare_profile(board: BoardType) -> CapabilityProfile:
    """The profile of a board that no firmware speaks for, with the sensors soldered to it.

    A board type without any sensor in the catalogue has unknown ones: many carry an extension.
    """
    onboard = [
        Sensor(row.kind, row.max_rate_hz, tuple(row.shape) if row.shape else None)
        for row in board.onboard_sensors.all()
    ]
    return profile_for(board, None, onboard or None)


def profile_digest(
    board: BoardType, firmware: FirmwareBuild | None, sensors: list[dict[str, Any]] | None
) -> str:
    """SHA-256 over what makes profiles equal, by natural keys: the same on every installation."""
    build = [firmware.name, firmware.version, firmware.capacity_digest] if firmware else None
    return digest_of({"board": board.slug, "firmware": build, "sensors": sensors})


def digest_of(identity: Any) -> str:
    """SHA-256 of a value as JSON with sorted keys and no spaces, in hexadecimal."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def capacity_of(profile: CapabilityProfile) -> Capacity:
    """What one profile offers, a bare board under this installation's reserve."""
    bare = facts.BareBoard.from_settings() if profile.firmware_id is None else _NOT_BARE
    return facts.capacity_of(profile, bare)


_NOT_BARE = facts.BareBoard(ram_reserve=0.0, flash_reserve=0.0)


def canonical_sensors(sensors: Iterable[Sensor]) -> list[dict[str, Any]]:
    """Sensors as a profile keeps them, in an order that does not depend on how they came."""
    rows = [
        {"kind": s.kind, "max_rate_hz": s.max_rate_hz, "shape": list(s.shape) if s.shape else None}
        for s in sensors
    ]
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))
