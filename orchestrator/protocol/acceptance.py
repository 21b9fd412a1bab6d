"""Whether a verified order is for this device, now: the order of checks, stated once.

Both sides use it: the simulated device to decide, the server to foresee what a device would say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from orchestrator.protocol.manifest import Manifest
from orchestrator.protocol.messages import LearnTask, ResultCode
from orchestrator.protocol.refusal import ManifestError, TaskError


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """Who a device is."""

    vendor_id: UUID
    class_id: UUID
    device_id: str


@dataclass(frozen=True, slots=True)
class DeviceCapacity:
    """What a device's firmware offers. Sizes are bytes; `operators` maps a name to its version."""

    slot_bytes: int
    arena_budget_bytes: int
    runtime: str
    operators: Mapping[str, int]


def check(
    manifest: Manifest,
    identity: DeviceIdentity,
    capacity: DeviceCapacity,
    floor_sequence: int,
    now: float,
) -> None:
    """Return where the manifest is to be followed; else a ManifestError with the first misfit.

    `floor_sequence` is the highest sequence number that the device has accepted before: only a
    higher one is new. `now` is UNIX seconds; a device without a clock passes the newest signed
    issue time that it has seen.
    """
    _check_target(manifest, identity)
    if manifest.sequence <= floor_sequence:
        raise ManifestError(
            ResultCode.OLD_SEQUENCE, f"sequence {manifest.sequence}, seen {floor_sequence}"
        )
    if manifest.expires_at <= now:
        raise ManifestError(ResultCode.EXPIRED, f"expired at {manifest.expires_at}, now {now:.0f}")
    _check_needs(manifest, capacity)


def check_task(task: LearnTask, device_id: str, digest: str | None, now: float) -> None:
    """The same for a learning task: for this device, not expired, about what it runs."""
    if task.device_id != device_id:
        raise TaskError(ResultCode.WRONG_DEVICE, f"for {task.device_id}")
    if task.expires_at <= now:
        raise TaskError(ResultCode.EXPIRED, f"expired at {task.expires_at}, now {now:.0f}")
    if task.digest != digest:
        raise TaskError(ResultCode.BAD_DIGEST, f"about {task.digest[:12]}, which does not run here")


def _check_target(manifest: Manifest, identity: DeviceIdentity) -> None:
    if manifest.vendor_id != identity.vendor_id:
        raise ManifestError(ResultCode.WRONG_VENDOR, f"for vendor {manifest.vendor_id}")
    if manifest.class_id != identity.class_id:
        raise ManifestError(ResultCode.WRONG_CLASS, f"for class {manifest.class_id}")
    if manifest.device_id != identity.device_id:
        raise ManifestError(ResultCode.WRONG_DEVICE, f"for device {manifest.device_id}")


def _check_needs(manifest: Manifest, capacity: DeviceCapacity) -> None:
    if manifest.size > capacity.slot_bytes:
        raise ManifestError(
            ResultCode.TOO_LARGE, f"{manifest.size} B, slot has {capacity.slot_bytes} B"
        )
    if manifest.arena_bytes is not None and manifest.arena_bytes > capacity.arena_budget_bytes:
        raise ManifestError(
            ResultCode.ARENA_TOO_SMALL,
            f"needs {manifest.arena_bytes} B, arena has {capacity.arena_budget_bytes} B",
        )
    for name, version in manifest.operators.items():
        if capacity.operators.get(name, 0) < version:
            raise ManifestError(ResultCode.MISSING_OPERATOR, f"{name} version {version}")
    if manifest.runtime not in ("", capacity.runtime):
        raise ManifestError(ResultCode.WRONG_RUNTIME, f"for {manifest.runtime}")
