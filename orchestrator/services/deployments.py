"""One device's update from the server's side: what to sign, what stands in the device's topics.

What the device says about it is in `device_words`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from orchestrator.models import Deployment, DeploymentPurpose, RolloutStatus, WaveStatus
from orchestrator.policy.lifecycle import BEFORE_INSTALLED, ON_ITS_WAY
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.services.deployment_changes import DeploymentChanges
from orchestrator.services.device_words import (
    apply_report,
    apply_reports,
    apply_state,
    apply_states,
)
from orchestrator.services.locked_deployments import locked
from orchestrator.services.manifests import (
    ManifestImpossible,
    Orders,
    block_exponents,
    desired_manifest,
    number,
)
from orchestrator.services.sending_limits import sending_limits
from registry.models import Device, DeviceStatus
from registry.services.pieces import chunks
from registry.services.row_sets import update_rows

__all__ = [
    "ManifestImpossible",
    "Orders",
    "apply_report",
    "apply_reports",
    "apply_state",
    "apply_states",
    "attach_manifest",
    "attach_manifests",
    "cancel_for_device",
    "desired_manifest",
    "number",
    "open_artifacts",
    "open_desired",
    "pending_manifests",
    "refuse_to_send",
]

log = structlog.get_logger(__name__)

# Fetched once for all that share them: a variant's description is long.
_SHARED = (
    "variant__artifact",
    "variant__release__model",
    "variant__self_test",
    "variant__measurements__runtime",
    "variant__measurements__board",
    "variant__measurements__device__profile__board",
    "device__profile__board",
    "device__profile__firmware__runtime",
)
_SENDABLE = Q(
    wave__status__in=[WaveStatus.RUNNING, WaveStatus.SUCCEEDED],
    wave__rollout__status=RolloutStatus.RUNNING,
) | Q(purpose=DeploymentPurpose.REVERT)


def pending_manifests(now: datetime | None = None, limit: int = 200) -> list[Deployment]:
    """Deployments whose turn it is and that no manifest was signed for yet, oldest first.

    An artifact is let in only as long as all retained blocks stay within RETAINED_MAX_BYTES; the
    others wait until open deployments end and make room. Outside of a rollout's hours, and beyond
    its rate, its updates wait; the way back does not.
    """
    moment = now or timezone.now()
    limits = sending_limits(moment)
    waiting = _without_updates_of(
        [pk for pk, count in limits.items() if count == 0],
        _of_accepted(Deployment.objects.filter(_SENDABLE)).filter(
            status=DeploymentStatus.PENDING,
            notified_at__isnull=True,
            variant__isnull=False,
            expires_at__gt=moment,
        ),
    )
    admitted = _admitted(waiting)
    if not admitted:
        return []
    rows = waiting.filter(variant__artifact_id__in=admitted)
    rows = rows.order_by("wave__started_at", "created_at", "pk").select_related("device")
    rows = rows.defer("device__td", "reasons").prefetch_related(*_SHARED)
    found = list(_without_updates_of(limits, rows)[:limit])
    for rollout, count in limits.items():
        of_rate = rows.filter(purpose=DeploymentPurpose.UPDATE, wave__rollout=rollout)
        found += of_rate[: min(count, limit - len(found))]
    return found


def _without_updates_of(
    rollouts: Iterable[int], deployments: QuerySet[Deployment]
) -> QuerySet[Deployment]:
    of_them = Q(purpose=DeploymentPurpose.UPDATE, wave__rollout__in=list(rollouts))
    return deployments.exclude(of_them)


def _admitted(waiting: QuerySet[Deployment]) -> list[str]:
    """The artifacts, by SHA-256, that the broker holds already or still has room for."""
    wanted = list(_artifacts(waiting))
    if not wanted:
        return []  # asked several times a second, and mostly there is nothing
    held = {sha256: _retained_bytes(size) for sha256, size in _artifacts(_on_their_way())}
    for sha256, size in wanted:
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
    """Keep one signed envelope as `attach_manifests` does. False where it came too late."""
    return attach_manifests([(deployment, envelope)], now or timezone.now()) == 1


def attach_manifests(signed: Sequence[tuple[Deployment, bytes]], now: datetime) -> int:
    """Keep signed envelopes; from here the devices are notified. Returns how many came in time.

    The condition on `sequence` lets only the newest number through when two signed at once, and
    that on the status keeps an order from going out that was cancelled while it was signed.
    """
    attached = 0
    for chunk in chunks(signed):
        envelopes = {(each.pk, each.sequence): envelope for each, envelope in chunk}
        with transaction.atomic():
            pending = Deployment.objects.filter(status=DeploymentStatus.PENDING)
            rows = locked(pending.filter(pk__one_of=[each.pk for each, _ in chunk]))
            current = [row for row in rows if (row.pk, row.sequence) in envelopes]
            changes = DeploymentChanges(now)
            for row in current:
                changes.move(row, DeploymentStatus.NOTIFIED)
            kept = [(row.pk, envelopes[row.pk, row.sequence], now) for row in current]
            update_rows(Deployment, ("id",), ("manifest", "notified_at"), kept)
            attached += changes.write()
    return attached


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
