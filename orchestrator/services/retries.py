"""New attempts for what did not come through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from orchestrator.models import Deployment, Rollout, RolloutStatus, Wave, WaveStatus
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.selectors.rollouts import newest_updates
from orchestrator.services.deployment_changes import move_all
from orchestrator.services.open_deployments import check_room
from orchestrator.services.reverts import last_attempts
from orchestrator.services.rollout_start import ready_to_send
from orchestrator.services.targets import RolloutError
from registry.models import DeviceStatus
from registry.services.pieces import CHUNK, chunks

log = structlog.get_logger(__name__)

_RETRYABLE = (
    DeploymentStatus.FAILED,
    DeploymentStatus.ROLLED_BACK,
    DeploymentStatus.REJECTED,
    DeploymentStatus.EXPIRED,
    DeploymentStatus.CANCELLED,
)
_REOPENED = (
    RolloutStatus.RUNNING,
    RolloutStatus.PAUSED,
    RolloutStatus.STOPPED,
    RolloutStatus.COMPLETED,
)


def retry_failed(rollout: Rollout, now: datetime | None = None) -> Rollout:
    """One more attempt for each device whose newest one did not come through.

    The old attempts keep their outcome. A stopped rollout goes on: its failed and cancelled waves
    take their turns again. Devices that a later rollout has are left to that one, as `left_alone`
    says. RolloutError where nothing is left to retry, or where there is no room for so many.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        row = Rollout.objects.select_for_update().get(pk=rollout.pk)
        if row.status not in _REOPENED:
            raise RolloutError(f"{row.name!r} is {row.status}; it has nothing to retry.")
        failed = list(_failed(row))
        if not failed:
            raise RolloutError(_nothing_left(row))
        check_room(old.device_id for old in failed)
        _reopen(row, moment)
        _supersede_reverts(failed, moment)
        _attempt_again(failed, row)
        started = [WaveStatus.RUNNING, WaveStatus.SUCCEEDED]
        ready_to_send(newest_updates(row, status__in=started), moment)
    rollout.refresh_from_db()
    log.info("rollout_retried", rollout=rollout.pk, deployments=len(failed))
    return rollout


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """Devices without this rollout's update that a retry does not send it to, and why."""

    why: str
    devices: int
    example: str

    def __str__(self) -> str:
        noun = "device is" if self.devices == 1 else "devices are"
        return f"{self.devices:,} {noun} left alone, e.g. {self.example}: {self.why}."


def left_alone(rollout: Rollout) -> list[LeftAlone]:
    """By reason, most devices first; the same before a retry and after it."""
    ended = [*_RETRYABLE, DeploymentStatus.SUPERSEDED, DeploymentStatus.NOT_APPLICABLE]
    rows = list(
        newest_updates(rollout)
        .filter(status__in=ended)
        .order_by("device__device_id")
        .values_list("device_id", "device__device_id", "status", "device__status")
    )
    takers = _takers(rollout, [key for key, *_ in rows])
    names: dict[str, list[str]] = {}
    for key, name, status, member in rows:
        if why := _why_left(DeploymentStatus(status), member, takers.get(key)):
            names.setdefault(why, []).append(name)
    found = [LeftAlone(why, len(those), those[0]) for why, those in names.items()]
    return sorted(found, key=lambda left: -left.devices)


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
        rows = _taken_later(rollout).filter(device_id__in=chunk)
        rows = rows.order_by("wave__rollout__started_at", "wave__rollout")
        for device, number, name in rows.values_list(
            "device_id", "wave__rollout_id", "wave__rollout__name"
        ):
            takers[device] = f"rollout {number}, {name},"
    return takers


def _nothing_left(rollout: Rollout) -> str:
    why = f"{rollout.name!r} has no failed deployment that could be retried."
    return " ".join([why, *map(str, left_alone(rollout))])


def _taken_later(rollout: Rollout) -> QuerySet[Deployment]:
    later = Q(wave__rollout__started_at__gt=rollout.started_at) | Q(
        wave__rollout__started_at=rollout.started_at, wave__rollout__pk__gt=rollout.pk
    )
    return Deployment.objects.filter(later).exclude(status=DeploymentStatus.NOT_APPLICABLE)


def _failed(rollout: Rollout) -> QuerySet[Deployment]:
    taken = _taken_later(rollout).filter(device_id=OuterRef("device_id"))
    return newest_updates(rollout).filter(
        ~Exists(taken),
        status__in=_RETRYABLE,
        variant__isnull=False,
        device__status=DeviceStatus.ACCEPTED,
    )


def _reopen(rollout: Rollout, now: datetime) -> None:
    if rollout.status != RolloutStatus.PAUSED:
        rollout.status = RolloutStatus.RUNNING
    rollout.finished_at, rollout.detail = None, ""
    if rollout.expires_at <= now:
        rollout.expires_at = now + timedelta(seconds=settings.DEPLOYMENT_EXPIRY_S)
    rollout.save(update_fields=["status", "finished_at", "detail", "expires_at"])
    again = Wave.objects.filter(
        rollout=rollout, status__in=[WaveStatus.FAILED, WaveStatus.CANCELLED]
    )
    again.update(status=WaveStatus.WAITING, started_at=None, finished_at=None)
    Wave.objects.filter(rollout=rollout).update(recount=True)


def _supersede_reverts(failed: Sequence[Deployment], now: datetime) -> None:
    """A device that is on its way back turns round."""
    for chunk in chunks([old.device_id for old in failed]):
        still_open = Deployment.objects.filter(is_open=True, device_id__in=chunk)
        move_all(still_open, DeploymentStatus.SUPERSEDED, now, detail="retried")


def _attempt_again(failed: Sequence[Deployment], rollout: Rollout) -> None:
    attempts = last_attempts(failed)
    for chunk in chunks(failed):
        Deployment.objects.filter(pk__in=[old.pk for old in chunk]).update(is_newest=False)
    Deployment.objects.bulk_create(
        (
            Deployment(
                wave_id=old.wave_id,
                device_id=old.device_id,
                variant_id=old.variant_id,
                previous_id=old.previous_id,
                attempt=attempts[old.wave_id, old.device_id] + 1,
                expires_at=rollout.expires_at,
            )
            for old in failed
        ),
        batch_size=CHUNK,
    )
