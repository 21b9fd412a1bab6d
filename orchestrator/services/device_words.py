"""What a device says about its update: reports as events, its state as a level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import structlog
from django.db import transaction

from orchestrator.models import Deployment
from orchestrator.policy.lifecycle import (
    ON_ITS_WAY,
    Progress,
    Running,
    Transition,
    advance,
    reconcile,
)
from orchestrator.protocol.messages import DeploymentStatus, Report, ResultCode, State
from orchestrator.services import arena_reports
from orchestrator.services.arena_reports import Refusal
from orchestrator.services.deployment_changes import MAX_DETAIL, DeploymentChanges, locked
from orchestrator.services.report_quota import ReportQuota
from registry.models import Device, Variant
from registry.services.inventory import set_installed
from registry.services.pieces import chunks

log = structlog.get_logger(__name__)


def apply_report(device: Device, report: Report, now: datetime) -> bool:
    """Take one report; returns whether a deployment changed its status."""
    return apply_reports([(device, report)], now) > 0


def apply_reports(batch: Sequence[tuple[Device, Report]], now: datetime) -> int:
    """Take reports in the order in which they came, in one transaction.

    Returns how many deployments changed their status. What is late, repeated, about another
    device's deployment or about none changes nothing; beyond REPORTS_PER_DEPLOYMENT_MAX only
    outcomes count.
    """
    with transaction.atomic():
        known = _reported_deployments(batch)
        changes = DeploymentChanges(now)
        refusals: list[Refusal] = []
        quota = ReportQuota()
        for device, report in batch:
            deployment = known.get((device.pk, report.deployment))
            if deployment is None:
                _note_stray(device, report)
            elif not quota.admits(deployment, changes.status_of(deployment), report):
                continue
            elif _take(changes, deployment, report):
                refusals += _refusal(deployment, report)
        quota.write(now)
        changed = changes.write()
        arena_reports.note(refusals, now)
        return changed


def _reported_deployments(
    batch: Sequence[tuple[Device, Report]],
) -> dict[tuple[int, object], Deployment]:
    named = {report.deployment for _, report in batch if report.deployment is not None}
    rows = locked(Deployment.objects.filter(pk__in=named))
    return {(row.device_id, row.pk): row for row in rows}


def _refusal(deployment: Deployment, report: Report) -> list[Refusal]:
    """What the device found out, where it ended this deployment for want of memory."""
    rejected = report.status is DeploymentStatus.REJECTED
    found = rejected and report.code is ResultCode.ARENA_TOO_SMALL
    if not found or report.shortage is None or deployment.variant is None:
        return []
    return [Refusal(deployment.device, deployment.variant, report.shortage)]


def _take(changes: DeploymentChanges, deployment: Deployment, report: Report) -> bool:
    """Whether it brought the deployment into another status."""
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
        return True
    if isinstance(outcome, Progress):
        changes.progress(deployment, min(outcome.fraction, 1.0))
    return False


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
    """Take one device's level; returns whether a deployment changed its status."""
    return apply_states([(device, state)], now) > 0


def apply_states(batch: Sequence[tuple[Device, State]], now: datetime) -> int:
    """Take devices' levels, what runs, in the order in which they came, in one transaction.

    Returns how many deployments changed their status. A device that runs the desired digest under
    the desired sequence number is installed, whatever reports were lost; one that runs another
    after that went back.
    """
    with transaction.atomic():
        published = _published(batch)
        changes = DeploymentChanges(now)
        for device, state in batch:
            seen = Running(state.digest, state.sequence)
            for deployment in published.get(device.pk, ()):
                _level(changes, deployment, seen)
        changed = changes.write()
        newest = {device: state.digest for device, state in batch}
        _note_running(newest, published, now)
        return changed


def _published(batch: Sequence[tuple[Device, State]]) -> dict[int, list[Deployment]]:
    """By device key, its open deployments with a signed manifest."""
    published = Deployment.objects.filter(
        is_open=True, sequence__isnull=False, manifest__isnull=False
    )
    by_device: dict[int, list[Deployment]] = defaultdict(list)
    for chunk in chunks(sorted({device.pk for device, _ in batch})):
        for deployment in locked(published.filter(device__in=chunk)):
            by_device[deployment.device_id].append(deployment)
    return by_device


def _level(changes: DeploymentChanges, deployment: Deployment, seen: Running) -> None:
    if deployment.variant is None or deployment.sequence is None:
        return
    wanted = Running(deployment.variant.artifact_id, deployment.sequence)
    outcome = reconcile(changes.status_of(deployment), wanted, seen)
    if isinstance(outcome, Transition):
        went_back = outcome.status is DeploymentStatus.ROLLED_BACK
        code = "reverted" if went_back else "ok"
        changes.move(deployment, outcome.status, code, "by its state")


def _note_running(
    newest: Mapping[Device, str | None],
    published: Mapping[int, Sequence[Deployment]],
    now: datetime,
) -> None:
    """The inventory says what runs, also where that is the outcome of no open deployment."""
    known: dict[int, tuple[int | None, str | None]] = {}
    for chunk in chunks([device.pk for device in newest]):
        rows = Device.objects.filter(pk__in=chunk)
        columns = rows.values_list("pk", "installed_id", "installed__artifact_id")
        known |= {key: (variant, artifact) for key, variant, artifact in columns}
    for device, digest in newest.items():
        installed, artifact = known[device.pk]
        if artifact == digest:
            continue
        variant = _variant_of(digest, published.get(device.pk, ()))
        if variant is None and digest is not None:
            log.warning("unknown_digest_runs", device=device.device_id, digest=digest)
        if (variant.pk if variant else None) != installed:
            set_installed(device, variant, now)


def _variant_of(digest: str | None, deployments: Iterable[Deployment]) -> Variant | None:
    """The variant behind a digest: one that was sent before the newest that has these bytes."""
    if digest is None:
        return None
    sent = (d.variant for d in deployments if d.variant and d.variant.artifact_id == digest)
    newest = Variant.objects.filter(artifact_id=digest).order_by("-pk")
    return next(sent, None) or newest.first()
