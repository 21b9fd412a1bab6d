"""One device's update: what to sign, what to publish, and what the device's words change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from orchestrator.models import (
    Deployment,
    DeploymentPurpose,
    RolloutStatus,
    WaveStatus,
)
from orchestrator.policy.lifecycle import (
    BEFORE_INSTALLED,
    ON_ITS_WAY,
    Progress,
    Running,
    Transition,
    advance,
    reconcile,
)
from orchestrator.protocol.messages import DeploymentStatus, Report, State
from orchestrator.services.deployment_changes import MAX_DETAIL, DeploymentChanges, locked
from orchestrator.services.manifests import (
    ManifestImpossible,
    block_exponents,
    desired_manifest,
)
from registry.models import Device, DeviceStatus, Variant
from registry.services.inventory import set_installed

__all__ = [
    "ManifestImpossible",
    "apply_report",
    "apply_reports",
    "apply_state",
    "attach_manifest",
    "cancel_for_device",
    "desired_manifest",
    "open_artifacts",
    "open_desired",
    "pending_manifests",
    "refuse_to_send",
]

log = structlog.get_logger(__name__)

_SENDABLE = Q(
    wave__status__in=[WaveStatus.RUNNING, WaveStatus.SUCCEEDED],
    wave__rollout__status=RolloutStatus.RUNNING,
) | Q(purpose=DeploymentPurpose.REVERT)


def apply_report(device: Device, report: Report, now: datetime) -> bool:
    """Take one report; returns whether a deployment changed its status."""
    return apply_reports([(device, report)], now) > 0


def apply_reports(batch: Sequence[tuple[Device, Report]], now: datetime) -> int:
    """Take reports in the order in which they came, in one transaction.

    Returns how many deployments changed their status. What is late, repeated, about another
    device's deployment or about none changes nothing.
    """
    with transaction.atomic():
        known = _reported_deployments(batch)
        changes = DeploymentChanges(now)
        for device, report in batch:
            deployment = known.get((device.pk, report.deployment))
            if deployment is not None:
                _take(changes, deployment, report)
            else:
                _note_stray(device, report)
        return changes.write()


def _reported_deployments(
    batch: Sequence[tuple[Device, Report]],
) -> dict[tuple[int, object], Deployment]:
    named = {report.deployment for _, report in batch if report.deployment is not None}
    rows = locked(Deployment.objects.filter(pk__in=named))
    return {(row.device_id, row.pk): row for row in rows}


def _take(changes: DeploymentChanges, deployment: Deployment, report: Report) -> None:
    outcome = advance(
        changes.status_of(deployment),
        report.status,
        report.code,
        progress=report.progress,
        known_progress=changes.progress_of(deployment),
    )
    if isinstance(outcome, Transition):
        fraction = min(report.progress, 1.0)
        changes.move(deployment, outcome.status, report.code.value, report.detail, fraction)
    elif isinstance(outcome, Progress):
        changes.progress(deployment, min(outcome.fraction, 1.0))


def _note_stray(device: Device, report: Report) -> None:
    """A report that names no deployment of this device ends none: it may be old and repeated.

    Where the device could not read its manifest, the open deployment shows why it waits.
    """
    log.warning("report_names_no_deployment", device=device.device_id, code=report.code.value)
    if report.deployment is None:
        waiting = Deployment.objects.filter(device=device, is_open=True, status__in=ON_ITS_WAY)
        detail = f"the device could not read a manifest: {report.detail}"[:MAX_DETAIL]
        waiting.update(result_code=report.code.value, detail=detail)


def apply_state(device: Device, state: State, now: datetime) -> bool:
    """Take a device's level: what runs. Returns whether a deployment changed its status.

    A device that runs the desired digest under the desired sequence number is installed, whatever
    reports were lost; one that runs another after that went back.
    """
    seen = Running(state.digest, state.sequence)
    with transaction.atomic():
        published = Deployment.objects.filter(
            device=device, is_open=True, sequence__isnull=False, manifest__isnull=False
        )
        changes = DeploymentChanges(now)
        deployments = locked(published)
        for deployment in deployments:
            _level(changes, deployment, seen)
        changed = changes.write()
        _note_running(device, state.digest, deployments, now)
        return changed > 0


def _level(changes: DeploymentChanges, deployment: Deployment, seen: Running) -> None:
    if deployment.variant is None or deployment.sequence is None:
        return
    wanted = Running(deployment.variant.artifact_id, deployment.sequence)
    outcome = reconcile(DeploymentStatus(deployment.status), wanted, seen)
    if isinstance(outcome, Transition):
        went_back = outcome.status is DeploymentStatus.ROLLED_BACK
        code = "reverted" if went_back else "ok"
        changes.move(deployment, outcome.status, code, "by its state")


def _note_running(
    device: Device, digest: str | None, deployments: Iterable[Deployment], now: datetime
) -> None:
    """The inventory says what runs, also where that is the outcome of no open deployment."""
    current = Device.objects.select_related("installed").get(pk=device.pk)
    if (current.installed.artifact_id if current.installed else None) == digest:
        return
    variant = _variant_of(digest, deployments)
    if variant is None and digest is not None:
        log.warning("unknown_digest_runs", device=device.device_id, digest=digest)
    if variant != current.installed:
        set_installed(current, variant, now)


def _variant_of(digest: str | None, deployments: Iterable[Deployment]) -> Variant | None:
    """The variant behind a digest: one that was sent before the newest that has these bytes."""
    if digest is None:
        return None
    sent = (d.variant for d in deployments if d.variant and d.variant.artifact_id == digest)
    newest = Variant.objects.filter(artifact_id=digest).order_by("-pk")
    return next(sent, None) or newest.first()


def pending_manifests(now: datetime | None = None, limit: int = 200) -> list[Deployment]:
    """Deployments whose turn it is and that no manifest was signed for yet, oldest first.

    An artifact is let in only as long as all retained blocks stay within RETAINED_MAX_BYTES; the
    others wait until open deployments end and make room.
    """
    waiting = _of_accepted(Deployment.objects.filter(_SENDABLE)).filter(
        status=DeploymentStatus.PENDING,
        variant__isnull=False,
        expires_at__gt=now or timezone.now(),
    )
    admitted = _admitted(waiting)
    rows = waiting.filter(variant__artifact_id__in=admitted).select_related(
        "variant__artifact",
        "variant__release__model",
        "device__profile__board",
        "device__profile__firmware__runtime",
        "wave__rollout",
    )
    return list(rows.order_by("wave__started_at", "created_at", "pk")[:limit])


def _admitted(waiting: QuerySet[Deployment]) -> list[str]:
    """The artifacts, by SHA-256, that the broker holds already or still has room for."""
    held = {sha256: _retained_bytes(size) for sha256, size in _artifacts(_on_their_way())}
    for sha256, size in _artifacts(waiting):
        retained = _retained_bytes(size)
        if sha256 in held or sum(held.values()) + retained <= settings.RETAINED_MAX_BYTES:
            held[sha256] = retained
        else:
            log.warning("artifact_waits_for_room", artifact=sha256, bytes=retained)
    return list(held)


def _artifacts(deployments: QuerySet[Deployment]) -> Iterable[tuple[str, int]]:
    """Each artifact's SHA-256 and bytes, once."""
    rows = deployments.order_by("variant__artifact_id")
    return rows.values_list("variant__artifact_id", "variant__artifact__size_bytes").distinct()


def _retained_bytes(size: int) -> int:
    """Each block size on offer holds the whole file once."""
    return size * len(block_exponents(size))


def attach_manifest(deployment: Deployment, envelope: bytes, now: datetime | None = None) -> bool:
    """Keep the signed envelope; from here the device is notified. False where it came too late.

    The condition on `sequence` lets only the newest number through when two signed at once, and
    that on the status keeps an order from going out that was cancelled while it was signed.
    """
    with transaction.atomic():
        signed = Deployment.objects.filter(
            pk=deployment.pk, status=DeploymentStatus.PENDING, sequence=deployment.sequence
        )
        rows = locked(signed)
        for row in rows:
            Deployment.objects.filter(pk=row.pk).update(manifest=envelope)
            changes = DeploymentChanges(now or timezone.now())
            changes.move(row, DeploymentStatus.NOTIFIED)
            changes.write()
        return bool(rows)


def refuse_to_send(deployment: Deployment, why: str, now: datetime | None = None) -> bool:
    """End a deployment that cannot be made into a signed manifest, with the sentence that says why.

    What the signer refuses by its policy it would refuse again, so waiting would help nobody.
    """
    with transaction.atomic():
        changes = DeploymentChanges(now or timezone.now())
        unsent = Deployment.objects.filter(pk=deployment.pk, status=DeploymentStatus.PENDING)
        for row in locked(unsent):
            changes.move(row, DeploymentStatus.FAILED, "not_sent", why)
        return changes.write() > 0


def cancel_for_device(device: Device, now: datetime, why: str) -> int:
    """End what is open and not yet installed for one device, e.g. because it was revoked."""
    with transaction.atomic():
        changes = DeploymentChanges(now)
        stoppable = Deployment.objects.filter(is_open=True, status__in=BEFORE_INSTALLED)
        for deployment in locked(stoppable.filter(device=device)):
            changes.move(deployment, DeploymentStatus.CANCELLED, detail=why)
        return changes.write()


def open_desired() -> Iterator[tuple[str, bytes]]:
    """Every device's id and the signed manifest that is to stand in its `desired` topic."""
    rows = _on_their_way().order_by("sequence").values_list("device__device_id", "manifest")
    newest: dict[str, bytes] = {}
    for device_id, manifest in rows.iterator():
        newest[device_id] = bytes(manifest or b"")
    return iter(newest.items())


def open_artifacts() -> Iterator[tuple[str, tuple[int, ...]]]:
    """The artifacts that open deployments need, with the block sizes their manifests promise."""
    return iter((sha256, block_exponents(size)) for sha256, size in _artifacts(_on_their_way()))


def _on_their_way() -> QuerySet[Deployment]:
    """Open deployments with a signed manifest whose device has not committed yet."""
    signed = Deployment.objects.filter(manifest__isnull=False, status__in=ON_ITS_WAY)
    return _of_accepted(signed).order_by()


def _of_accepted(deployments: QuerySet[Deployment]) -> QuerySet[Deployment]:
    return deployments.filter(is_open=True, device__status=DeviceStatus.ACCEPTED)
