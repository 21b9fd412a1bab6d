"""The time after an installation in which a device shows that it is well with the new model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Avg, F, FloatField, Max, Min, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import NullIf

from orchestrator.models import Deployment, DeviceShadow, Telemetry, Wave
from orchestrator.policy.health import HealthLimits, Vitals, complaints
from orchestrator.policy.lifecycle import Running, Transition, reconcile
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.services.deployment_changes import DeploymentChanges
from orchestrator.services.locked_deployments import LockedDeployment, digests_of, locked
from orchestrator.services.reverts import send_back
from registry.services.pieces import CHUNK, chunks


def settle_soaks(now: datetime) -> int:
    """End every soak that is over: confirmed, or rolled back; returns how many ended."""
    due = Deployment.objects.filter(
        is_open=True, status=DeploymentStatus.INSTALLED, soak_ends_at__lte=now
    )
    settled = 0
    while True:
        with transaction.atomic():
            rows = locked(due, CHUNK)
            settled += _settle(rows, now)
        if len(rows) < CHUNK:
            return settled


def _settle(deployments: list[LockedDeployment], now: datetime) -> int:
    seen = _seen(deployments)
    digests = digests_of(deployments)
    ailing = _ailing(deployments)
    changes = DeploymentChanges(now)
    for deployment in deployments:
        if _went_back(deployment, digests, seen.get(deployment.device_id)):
            changes.move(deployment, DeploymentStatus.ROLLED_BACK, "reverted", "by its state")
        elif deployment in ailing:
            changes.move(deployment, DeploymentStatus.ROLLED_BACK, "unhealthy", ailing[deployment])
        else:
            changes.move(deployment, DeploymentStatus.CONFIRMED, "ok")
    written = changes.write()
    send_back(list(ailing), now)
    return written


def _seen(deployments: list[LockedDeployment]) -> dict[int, Running]:
    """By device, what the newest state that was kept says."""
    devices = {each.device_id for each in deployments}
    shadows = DeviceShadow.objects.filter(device__pk__one_of=devices)
    rows = shadows.values_list("device_id", "digest", "sequence")
    return {device: Running(digest or None, sequence) for device, digest, sequence in rows}


def _went_back(
    deployment: LockedDeployment, digests: Mapping[int, str | None], seen: Running | None
) -> bool:
    """Whether the newest state that was kept contradicts the installation."""
    if seen is None or deployment.variant_id is None or deployment.sequence is None:
        return False
    wanted = Running(digests[deployment.variant_id], deployment.sequence)
    return isinstance(reconcile(DeploymentStatus.INSTALLED, wanted, seen), Transition)


def _ailing(deployments: list[LockedDeployment]) -> dict[LockedDeployment, str]:
    """Those whose health breaks a limit of their rollout, with what is wrong in words."""
    waves = Wave.objects.filter(pk__in={each.wave_id for each in deployments})
    limits = {
        wave: health_limits(health) for wave, health in waves.values_list("pk", "rollout__health")
    }
    asked = [d for d in deployments if limits[d.wave_id] and d.previous_id is not None]
    ailing: dict[LockedDeployment, str] = {}
    for chunk in chunks(asked):
        vitals = _vitals(Deployment.objects.filter(pk__in=[d.pk for d in chunk]))
        for deployment in chunk:
            found = complaints(limits[deployment.wave_id], *vitals[deployment.pk])
            if found:
                ailing[deployment] = "; ".join(found)
    return ailing


def health_limits(raw: dict[str, float]) -> HealthLimits:
    """A rollout's stored limits as the pure rule takes them."""
    restarts = raw.get("max_restarts")
    return HealthLimits(
        raw.get("max_accuracy_drop"),
        raw.get("max_latency_ratio"),
        None if restarts is None else int(restarts),
    )


def _vitals(deployments: QuerySet[Deployment]) -> dict[object, tuple[Vitals, Vitals]]:
    """Each device's vitals with what it ran before and with what it runs since. One query."""
    device = Telemetry.objects.filter(device_id=OuterRef("device_id")).order_by()
    since = OuterRef("installed_at")
    before = device.filter(variant_id=OuterRef("previous_id"), received_at__lt=since)
    after = device.filter(variant_id=OuterRef("variant_id"), received_at__gte=since)
    rows = deployments.order_by().values_list(
        "pk",
        _accuracy(before),
        _latency(before),
        _accuracy(after),
        _latency(after),
        _restarts(after),
    )
    return {
        pk: (Vitals(old_accuracy, old_latency), Vitals(accuracy, latency, restarts or 0))
        for pk, old_accuracy, old_latency, accuracy, latency, restarts in rows
    }


def _accuracy(packs: QuerySet[Telemetry]) -> Subquery:
    """The mean over labelled samples, not over packs."""
    correct = Sum(F("accuracy") * F("labelled"), output_field=FloatField())
    labelled = Sum(F("labelled"), output_field=FloatField())
    known = packs.filter(accuracy__isnull=False).values("device_id")
    return Subquery(known.annotate(mean=correct / NullIf(labelled, 0.0)).values("mean"))


def _latency(packs: QuerySet[Telemetry]) -> Subquery:
    return Subquery(packs.values("device_id").annotate(mean=Avg("latency_ms")).values("mean"))


def _restarts(packs: QuerySet[Telemetry]) -> Subquery:
    spread = Max("boot") - Min("boot")
    return Subquery(packs.values("device_id").annotate(spread=spread).values("spread"))
