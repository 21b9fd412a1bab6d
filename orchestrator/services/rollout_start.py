"""From a draft to waves and deployments."""

from __future__ import annotations

import json
import uuid
from collections.abc import Hashable, Sequence
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
from registry.services.row_sets import insert_rows

log = structlog.get_logger(__name__)

_DEVICES_AT_ONCE = 10_000
_COLUMNS = (
    "id",
    "wave",
    "attempt",
    "device",
    "variant",
    "previous",
    "status",
    "is_open",
    "reasons",
    "detail",
    "expires_at",
    "created_at",
    "changed_at",
)


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
    attempts = [before.get(share.device.pk, 0) + 1 for share in shares]
    keys = [uuid.uuid4() for _ in shares]
    rows = [
        (key, wave.pk, attempt, *_columns(share), rollout.expires_at, now, now)
        for key, attempt, share in zip(keys, attempts, shares, strict=True)
    ]
    insert_rows(Deployment, _COLUMNS, rows)
    events = [
        (key, now, share.outcome.value, "", share.detail)
        for key, share in zip(keys, shares, strict=True)
        if is_final(share.outcome)
    ]
    insert_rows(DeploymentEvent, ("deployment", "at", "status", "code", "detail"), events)
    Wave.objects.filter(pk=wave.pk).update(recount=True)
    _supersede_older(rollout, shares, now)


def _attempts(rollout: Rollout, shares: Sequence[Assignment]) -> dict[int, int]:
    """By device, the last attempt in this rollout; it is not the newest any more."""
    waves = Wave.objects.filter(rollout=rollout)
    devices = [share.device.pk for share in shares]
    old = Deployment.objects.filter(wave__in=waves, device__pk__one_of=devices)
    attempts = dict(old.order_by("attempt").values_list("device_id", "attempt"))
    if attempts:
        old.filter(is_newest=True).update(is_newest=False)
    return attempts


def _columns(share: Assignment) -> tuple[Hashable, ...]:
    variant, status = share.variant, share.outcome
    return (
        share.device.pk,
        variant.pk if variant is not None else None,
        share.device.installed_id,
        status.value,
        not is_final(status),
        json.dumps(share.reasons),
        share.detail,
    )


def _supersede_older(rollout: Rollout, shares: Sequence[Assignment], now: datetime) -> None:
    """From now on this rollout says what its devices are to run.

    A device that it has nothing for keeps what an older one is sending it.
    """
    nothing = DeploymentStatus.NOT_APPLICABLE
    taken = [share.device.pk for share in shares if share.outcome is not nothing]
    detail = f"taken over by rollout {rollout.pk}"
    others = Deployment.objects.exclude(wave__in=Wave.objects.filter(rollout=rollout))
    for chunk in chunks(taken, _DEVICES_AT_ONCE):
        older = others.filter(is_open=True, device__pk__one_of=chunk)
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
