"""Sending devices back to what they ran before, by new manifests with higher numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet

from orchestrator.models import Deployment, DeploymentPurpose, Rollout
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.selectors.rollouts import newest_updates
from orchestrator.services.deployment_changes import DeploymentChanges
from orchestrator.services.locked_deployments import LockedDeployment, locked
from registry.models import Device, Variant
from registry.services.pieces import CHUNK, chunks

log = structlog.get_logger(__name__)

_RUNS_THE_NEW = (DeploymentStatus.INSTALLED, DeploymentStatus.CONFIRMED)


def send_all_back(rollout: Rollout, now: datetime) -> int:
    """Every device that this rollout has updated, to what each ran before; returns how many.

    A device that has been sent back already, or that another rollout is busy with, is left alone,
    so that a repeated call does nothing.
    """
    sent = 0
    while True:
        with transaction.atomic():
            rows = locked(_to_send_back(rollout), CHUNK)
            _supersede(rows, now)
            send_back(rows, now)
        sent += len(rows)
        if len(rows) < CHUNK:
            return sent


def _to_send_back(rollout: Rollout) -> QuerySet[Deployment]:
    same_device = Deployment.objects.filter(device_id=OuterRef("device_id"))
    reverted = same_device.filter(
        wave_id=OuterRef("wave_id"),
        purpose=DeploymentPurpose.REVERT,
        attempt__gt=OuterRef("attempt"),
    )
    taken = same_device.filter(is_open=True).exclude(pk=OuterRef("pk"))
    running = Device.objects.filter(pk=OuterRef("device_id"), installed=OuterRef("variant_id"))
    same_bytes = Variant.objects.filter(
        pk=OuterRef("previous_id"), artifact__variants=OuterRef("variant_id")
    )
    return newest_updates(rollout).filter(
        Exists(running),
        ~Exists(reverted),
        ~Exists(taken),
        ~Exists(same_bytes),
        status__in=_RUNS_THE_NEW,
        previous__isnull=False,
    )


def _supersede(deployments: Iterable[LockedDeployment], now: datetime) -> None:
    """A soak that is still going on ends here: the way back takes its place."""
    changes = DeploymentChanges(now)
    for deployment in deployments:
        if deployment.status == DeploymentStatus.INSTALLED:
            changes.move(deployment, DeploymentStatus.SUPERSEDED, detail="sent back")
    changes.write()


def send_back(deployments: Sequence[LockedDeployment], now: datetime) -> None:
    """New deployments in the same waves that carry each device's previous variant."""
    expires_at = now + timedelta(seconds=settings.DEPLOYMENT_EXPIRY_S)
    attempts = last_attempts(deployments)
    Deployment.objects.bulk_create(
        (
            Deployment(
                wave_id=deployment.wave_id,
                device_id=deployment.device_id,
                variant_id=deployment.previous_id,
                previous_id=deployment.variant_id,
                purpose=DeploymentPurpose.REVERT,
                attempt=attempts[deployment.wave_id, deployment.device_id] + 1,
                expires_at=expires_at,
            )
            for deployment in deployments
        ),
        batch_size=CHUNK,
    )
    if deployments:
        log.info("devices_sent_back", devices=len(deployments))


def last_attempts(
    deployments: Sequence[Deployment] | Sequence[LockedDeployment],
) -> dict[tuple[int, int], int]:
    """The highest attempt by (wave, device) for the given deployments' waves and devices."""
    waves = {deployment.wave_id for deployment in deployments}
    last: dict[tuple[int, int], int] = {}
    for chunk in chunks(sorted({deployment.device_id for deployment in deployments})):
        rows = Deployment.objects.filter(wave_id__in=waves, device_id__in=chunk).order_by()
        attempts = rows.values_list("wave_id", "device_id").annotate(last=Max("attempt"))
        last |= {(wave, device): attempt for wave, device, attempt in attempts}
    return last
