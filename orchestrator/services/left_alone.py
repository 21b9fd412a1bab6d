"""Whom a retry or a roll back leaves alone, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from orchestrator.models import Deployment, DeploymentPurpose, Rollout, RolloutStatus
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.selectors.rollouts import RETRYABLE, newest_updates, taken_later
from registry.models import DeviceStatus
from registry.services.pieces import chunks


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """Devices that an order passes over, for one reason."""

    why: str
    devices: int
    example: str

    def __str__(self) -> str:
        noun = "device is" if self.devices == 1 else "devices are"
        return f"{self.devices:,} {noun} left alone, e.g. {self.example}: {self.why}."


def left_alone(rollout: Rollout) -> list[LeftAlone]:
    """By reason, most devices first; the same before the order and after it.

    Of one that has been rolled back those that stay where they are; of any other those that are
    without its update and that a retry does not send it to.
    """
    rolled_back = rollout.status == RolloutStatus.ROLLED_BACK
    names: dict[str, list[str]] = {}
    for name, why in _staying(rollout) if rolled_back else _not_retried(rollout):
        if why:
            names.setdefault(why, []).append(name)
    found = [LeftAlone(why, len(those), those[0]) for why, those in names.items()]
    return sorted(found, key=lambda left: -left.devices)


def _not_retried(rollout: Rollout) -> Iterable[tuple[str, str]]:
    ended = [*RETRYABLE, DeploymentStatus.SUPERSEDED, DeploymentStatus.NOT_APPLICABLE]
    rows = list(
        newest_updates(rollout)
        .filter(status__in=ended)
        .order_by("device__device_id")
        .values_list("device_id", "device__device_id", "status", "device__status")
    )
    takers = _takers(rollout, [key for key, *_ in rows])
    for key, name, status, member in rows:
        yield name, _why_left(DeploymentStatus(status), member, takers.get(key))


def _why_left(status: DeploymentStatus, member: str, taker: str | None) -> str:
    """Empty for what is sent once more."""
    if member != DeviceStatus.ACCEPTED:
        return f"no member, but {member}"
    if taker is not None:
        return f"{taker} has it since"
    if status is DeploymentStatus.NOT_APPLICABLE:
        return "nothing of what it sends fits"
    return "taken over" if status is DeploymentStatus.SUPERSEDED else ""


def _takers(rollout: Rollout, devices: Sequence[int]) -> dict[int, str]:
    """By device, the last rollout that began later and has something for it."""
    takers: dict[int, str] = {}
    for chunk in chunks(devices):
        rows = taken_later(rollout).filter(device_id__in=chunk)
        rows = rows.order_by("wave__rollout__started_at", "wave__rollout")
        for device, number, name in rows.values_list(
            "device_id", "wave__rollout_id", "wave__rollout__name"
        ):
            takers[device] = f"rollout {number}, {name},"
    return takers


def _staying(rollout: Rollout) -> Iterable[tuple[str, str]]:
    """Devices that run, or have run, what it sent, and are not sent back."""
    reverted = Deployment.objects.filter(
        device_id=OuterRef("device_id"),
        wave_id=OuterRef("wave_id"),
        purpose=DeploymentPurpose.REVERT,
        attempt__gt=OuterRef("attempt"),
    )
    updated = [DeploymentStatus.INSTALLED, DeploymentStatus.CONFIRMED]
    rows = newest_updates(rollout).filter(~Exists(reverted), status__in=updated)
    for name, variant, before, now in rows.order_by("device__device_id").values_list(
        "device__device_id", "variant_id", "previous_id", "device__installed_id"
    ):
        yield name, _why_staying(variant, before, now)


def _why_staying(variant: int | None, before: int | None, now: int | None) -> str:
    if now != variant:
        return "it runs something else by now"
    if before is None:
        return "it ran nothing before"
    return "another rollout has it, or it ran the same file before"
