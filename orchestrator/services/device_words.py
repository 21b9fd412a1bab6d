"""What a device says about its update: reports as events, its state as a level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

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
from orchestrator.services.deployment_changes import MAX_DETAIL, DeploymentChanges
from orchestrator.services.locked_deployments import LockedDeployment, digests_of, locked
from orchestrator.services.report_quota import ReportQuota
from registry.models import Device, Variant
from registry.services.inventory import set_all_installed

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
    with transaction.atomic(savepoint=False):
        known = _reported_deployments(batch)
        changes = DeploymentChanges(now)
        refusals: list[Refusal] = []
        quota = ReportQuota(changes)
        for device, report in batch:
            deployment = known.get((device.pk, report.deployment))
            if deployment is None:
                _note_stray(device, report)
            elif quota.admits(device.device_id, deployment, report) and _take(
                changes, deployment, report
            ):
                refusals += _refusal(device, deployment, report)
        quota.write(now)
        changed = changes.write()
        arena_reports.note(refusals, now)
        return changed


def _reported_deployments(
    batch: Sequence[tuple[Device, Report]],
) -> dict[tuple[int, UUID | None], LockedDeployment]:
    named = {report.deployment for _, report in batch if report.deployment is not None}
    rows = locked(Deployment.objects.filter(pk__one_of=named))
    return {(row.device_id, row.pk): row for row in rows}


def _refusal(device: Device, deployment: LockedDeployment, report: Report) -> list[Refusal]:
    """What the device found out, where it ended this deployment for want of memory."""
    rejected = report.status is DeploymentStatus.REJECTED
    found = rejected and report.code is ResultCode.ARENA_TOO_SMALL
    if not found or report.shortage is None or deployment.variant_id is None:
        return []
    return [Refusal(device, Variant.objects.get(pk=deployment.variant_id), report.shortage)]


def _take(changes: DeploymentChanges, deployment: LockedDeployment, report: Report) -> bool:
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
    with transaction.atomic(savepoint=False):
        published = _published(batch)
        digests = digests_of(row for rows in published.values() for row in rows)
        changes = DeploymentChanges(now)
        for device, state in batch:
            seen = Running(state.digest, state.sequence)
            for deployment in published.get(device.pk, ()):
                _level(changes, deployment, digests, seen)
        changed = changes.write()
        newest = {device: state.digest for device, state in batch}
        _note_running(newest, published, digests, now)
        return changed


def _published(batch: Sequence[tuple[Device, State]]) -> dict[int, list[LockedDeployment]]:
    """By device key, its open deployments with a signed manifest."""
    published = Deployment.objects.filter(
        is_open=True,
        sequence__isnull=False,
        manifest__isnull=False,
        device__pk__one_of={device.pk for device, _ in batch},
    )
    by_device: dict[int, list[LockedDeployment]] = defaultdict(list)
    for deployment in locked(published):
        by_device[deployment.device_id].append(deployment)
    return by_device


def _level(
    changes: DeploymentChanges,
    deployment: LockedDeployment,
    digests: Mapping[int, str | None],
    seen: Running,
) -> None:
    if deployment.variant_id is None or deployment.sequence is None:
        return
    wanted = Running(digests[deployment.variant_id], deployment.sequence)
    outcome = reconcile(changes.status_of(deployment), wanted, seen)
    if isinstance(outcome, Transition):
        went_back = outcome.status is DeploymentStatus.ROLLED_BACK
        code = "reverted" if went_back else "ok"
        changes.move(deployment, outcome.status, code, "by its state")


def _note_running(
    newest: Mapping[Device, str | None],
    published: Mapping[int, Sequence[LockedDeployment]],
    digests: Mapping[int, str | None],
    now: datetime,
) -> None:
    """The inventory says what runs, also where that is the outcome of no open deployment."""
    news = _news(newest)
    variants = _newest_variants(digest for digest in news.values() if digest is not None)
    running: dict[int, int | None] = {}
    for device, digest in news.items():
        sent = (row.variant_id for row in published.get(device.pk, ()))
        of_digest = (key for key in sent if key is not None and digests[key] == digest)
        running[device.pk] = next(of_digest, variants.get(digest))
        if digest is not None and running[device.pk] is None:
            log.warning("unknown_digest_runs", device=device.device_id, digest=digest)
    set_all_installed(running, now)


def _news(newest: Mapping[Device, str | None]) -> dict[Device, str | None]:
    """Those devices that run other bytes than the inventory says."""
    rows = Device.objects.filter(pk__one_of=[device.pk for device in newest])
    known = dict(rows.values_list("pk", "installed__artifact_id"))
    return {device: digest for device, digest in newest.items() if known[device.pk] != digest}


def _newest_variants(digests: Iterable[str]) -> dict[str | None, int]:
    """By digest, the newest variant that has these bytes."""
    rows = Variant.objects.filter(artifact__pk__one_of=set(digests)).order_by("pk")
    return {artifact: key for key, artifact in rows.values_list("pk", "artifact_id")}
