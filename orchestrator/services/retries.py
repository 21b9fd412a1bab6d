"""New attempts for what did not come through."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from orchestrator.models import Deployment, Rollout, RolloutStatus, Wave, WaveStatus
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.selectors.rollouts import RETRYABLE, newest_updates, taken_later
from orchestrator.services.deployment_changes import move_all
from orchestrator.services.left_alone import left_alone
from orchestrator.services.open_deployments import check_room
from orchestrator.services.reverts import last_attempts
from orchestrator.services.rollout_start import ready_to_send
from orchestrator.services.targets import RolloutError
from registry.models import DeviceStatus
from registry.services.pieces import CHUNK, chunks

log = structlog.get_logger(__name__)

_REOPENED = (
    RolloutStatus.RUNNING,
    RolloutStatus.PAUSED,
    RolloutStatus.STOPPED,
    RolloutStatus.COMPLETED,
)


def retry_failed(rollout: Rollout, now: datetime | None = None) -> Rollout:
    """One more attempt for each device whose newest one did not come through.

    The old attempts keep their outcome. A stopped rollout goes on: its failed and cancelled waves
    take their turns again. Devices that a later rollout has are left to that one; `left_alone` says
    which. RolloutError where nothing is left to retry, or where there is no room for so many.
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


def _nothing_left(rollout: Rollout) -> str:
    why = f"{rollout.name!r} has no failed deployment that could be retried."
    return " ".join([why, *map(str, left_alone(rollout))])


def _failed(rollout: Rollout) -> QuerySet[Deployment]:
    taken = taken_later(rollout).filter(device_id=OuterRef("device_id"))
    return newest_updates(rollout).filter(
        ~Exists(taken),
        status__in=RETRYABLE,
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
