"""From a draft to waves and deployments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from orchestrator.models import (
    Deployment,
    DeploymentEvent,
    Rollout,
    RolloutStatus,
    Wave,
)
from orchestrator.policy.lifecycle import is_final
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.services.deployment_changes import move_all
from orchestrator.services.open_deployments import check_room
from orchestrator.services.plans import Assignment, check_plan, plan
from orchestrator.services.reach import check_reach
from orchestrator.services.targets import RolloutError
from registry.models import Device
from registry.services.pieces import chunks

log = structlog.get_logger(__name__)

_BATCH = 1000


def begin(rollout: Rollout, now: datetime) -> None:
    """Plan it on the devices as they are now, then write waves and deployments at once.

    The plan stands outside the transaction: at 100,000 devices it takes seconds, and nobody could
    write meanwhile. RolloutError where it has begun already or gives nobody anything.
    """
    if rollout.expires_at <= now:
        raise RolloutError(f"{rollout.name!r} has expired before it was started.")
    planned = plan(rollout, now)
    check_plan(rollout, planned)
    check_reach(rollout, planned, now)
    with transaction.atomic():
        _claim(rollout, now)
        check_room(share.device.pk for share in planned.updates)
        for wave in _create_waves(rollout):
            add_to_wave(rollout, wave, planned.of_wave(wave.number), now)
    log.info("rollout_running", rollout=rollout.pk, devices=len(planned.updates))


def _claim(rollout: Rollout, now: datetime) -> None:
    """Conditional, so that of two that start it at once only one writes deployments."""
    startable = [RolloutStatus.DRAFT, RolloutStatus.SCHEDULED]
    rows = Rollout.objects.filter(pk=rollout.pk, status__in=startable)
    if not rows.update(status=RolloutStatus.RUNNING, started_at=now):
        rollout.refresh_from_db()
        raise RolloutError(f"{rollout.name!r} is {rollout.status}; only a draft can be started.")


def _create_waves(rollout: Rollout) -> list[Wave]:
    count = len(rollout.wave_sizes) + 1 if rollout.wave_sizes else len(rollout.wave_percentages)
    return Wave.objects.bulk_create(
        Wave(rollout=rollout, number=number) for number in range(1, count + 1)
    )


def add_to_wave(rollout: Rollout, wave: Wave, shares: Sequence[Assignment], now: datetime) -> None:
    """Write these devices' deployments; what older rollouts were sending them is superseded.

    One that the rollout had nothing for before gets a new attempt.
    """
    before = _attempts(rollout, shares)
    rows = [
        _deployment(share, wave, rollout, before.get(share.device.pk, 0) + 1) for share in shares
    ]
    Deployment.objects.bulk_create(rows, batch_size=_BATCH)
    ended = [row for row in rows if not row.is_open]
    DeploymentEvent.objects.bulk_create(
        (
            DeploymentEvent(deployment=row, at=now, status=row.status, detail=row.detail)
            for row in ended
        ),
        batch_size=_BATCH,
    )
    Wave.objects.filter(pk=wave.pk).update(recount=True)
    _supersede_older(rollout, rows, now)


def _attempts(rollout: Rollout, shares: Sequence[Assignment]) -> dict[int, int]:
    """By device, the last attempt in this rollout; it is not the newest any more."""
    attempts: dict[int, int] = {}
    for chunk in chunks([share.device.pk for share in shares]):
        old = Deployment.objects.filter(wave__rollout=rollout, device__in=chunk)
        attempts |= dict(old.order_by("attempt").values_list("device_id", "attempt"))
        old.filter(is_newest=True).update(is_newest=False)
    return attempts


def _deployment(share: Assignment, wave: Wave, rollout: Rollout, attempt: int) -> Deployment:
    return Deployment(
        wave=wave,
        device=share.device,
        attempt=attempt,
        variant=share.variant,
        previous_id=share.device.installed_id,
        status=share.outcome.value,
        is_open=not is_final(share.outcome),
        reasons=list(share.reasons),
        detail=share.detail,
        expires_at=rollout.expires_at,
    )


def _supersede_older(rollout: Rollout, rows: Sequence[Deployment], now: datetime) -> None:
    """From now on this rollout says what its devices are to run.

    A device that it has nothing for keeps what an older one is sending it.
    """
    taken = [r.device_id for r in rows if r.status != DeploymentStatus.NOT_APPLICABLE]
    detail = f"taken over by rollout {rollout.pk}"
    for chunk in chunks(taken):
        others = Deployment.objects.filter(is_open=True, device_id__in=chunk)
        older = others.exclude(wave__in=Wave.objects.filter(rollout=rollout))
        move_all(older, DeploymentStatus.SUPERSEDED, now, detail=detail)


def ready_to_send(deployments: QuerySet[Deployment], now: datetime) -> None:
    """Look once more at pending deployments whose turn has come, long after they were planned.

    What a device runs now is its way back; one that has the digest by now gets nothing.
    """
    pending = deployments.filter(is_open=True, status=DeploymentStatus.PENDING)
    running = Device.objects.filter(pk=OuterRef("device_id")).values("installed_id")
    pending.update(previous_id=Subquery(running[:1]))
    same_bytes = Device.objects.filter(
        pk=OuterRef("device_id"), installed__artifact__variants=OuterRef("variant_id")
    )
    have_it = pending.filter(Exists(same_bytes))
    move_all(have_it, DeploymentStatus.ALREADY_INSTALLED, now)
