"""The one place that writes a deployment's status: row, event, wave mark and inventory together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import QuerySet

from orchestrator.models import Deployment, DeploymentEvent, DeploymentPurpose, Wave
from orchestrator.policy.lifecycle import is_final, may_follow
from orchestrator.protocol.messages import DeploymentStatus
from registry.models import Device, Variant
from registry.services.inventory import set_all_installed
from registry.services.pieces import CHUNK, chunks

log = structlog.get_logger(__name__)

MAX_DETAIL = 500
# What a change reads. The reasons, the manifest and the variant's description are long.
_READ = (
    "status",
    "progress",
    "result_code",
    "detail",
    "purpose",
    "attempt",
    "sequence",
    "reports",
    "installed_at",
    "soak_ends_at",
    "wave__number",
    "wave__rollout__soak_s",
    "wave__rollout__health",
    "device__device_id",
    "variant__artifact_id",
    "previous_id",
)


@dataclass(frozen=True, slots=True)
class _Row:
    """What the columns of one deployment become; equal rows are written by one statement."""

    was: str
    status: str
    progress: float
    code: str
    detail: str
    installed_at: datetime | None
    soak_ends_at: datetime | None


class DeploymentChanges:
    """Collects changes of deployments that this transaction has locked, then writes them at once.

    Several changes of one deployment may follow each other before `write`; each becomes an event.
    Load with `locked`, so that nobody else decides about the same rows meanwhile.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._rows: dict[Deployment, _Row] = {}
        self._events: list[DeploymentEvent] = []
        self._installed: dict[Device, Variant] = {}

    def status_of(self, deployment: Deployment) -> DeploymentStatus:
        """Its status with what has been collected so far."""
        return DeploymentStatus(self._row(deployment).status)

    def progress_of(self, deployment: Deployment) -> float:
        """The fraction of its present status that is done, with what has been collected."""
        return self._row(deployment).progress

    def move(
        self,
        deployment: Deployment,
        status: DeploymentStatus,
        code: str = "",
        detail: str = "",
        progress: float = 0.0,
    ) -> None:
        """To the next status; ValueError where the table of transitions forbids it."""
        row = self._row(deployment)
        if not may_follow(DeploymentStatus(row.status), status):
            raise ValueError(f"{deployment.pk}: {row.status} is not followed by {status}")
        installed = status is DeploymentStatus.INSTALLED
        self._rows[deployment] = _Row(
            was=row.was,
            status=status.value,
            progress=progress,
            code=code,
            detail=detail[:MAX_DETAIL],
            installed_at=self._now if installed else row.installed_at,
            soak_ends_at=self._now + _soak(deployment) if installed else row.soak_ends_at,
        )
        self._events.append(self._event(deployment, self._rows[deployment]))
        if installed and deployment.variant is not None:
            self._installed[deployment.device] = deployment.variant

    def progress(self, deployment: Deployment, fraction: float) -> None:
        """Further within the same status; no event."""
        self._rows[deployment] = replace(self._row(deployment), progress=fraction)

    def write(self) -> int:
        """Write what was collected; returns how many deployments changed their status."""
        for row, ids in self._by_row():
            self._update(row, ids)
        DeploymentEvent.objects.bulk_create(self._events, batch_size=CHUNK)
        self._mark_waves()
        for chunk in chunks(list(self._installed.items())):
            set_all_installed(dict(chunk), self._now)
        self._log()
        return sum(row.was != row.status for row in self._rows.values())

    def _row(self, deployment: Deployment) -> _Row:
        return self._rows.get(deployment) or _Row(
            was=deployment.status,
            status=deployment.status,
            progress=deployment.progress,
            code=deployment.result_code,
            detail=deployment.detail,
            installed_at=deployment.installed_at,
            soak_ends_at=deployment.soak_ends_at,
        )

    def _event(self, deployment: Deployment, row: _Row) -> DeploymentEvent:
        return DeploymentEvent(
            deployment=deployment,
            at=self._now,
            status=row.status,
            code=row.code,
            detail=row.detail,
        )

    def _by_row(self) -> Iterable[tuple[_Row, list[Deployment]]]:
        groups: dict[_Row, list[Deployment]] = defaultdict(list)
        for deployment, row in self._rows.items():
            groups[row].append(deployment)
        return groups.items()

    def _update(self, row: _Row, deployments: Sequence[Deployment]) -> None:
        for chunk in chunks(deployments):
            rows = Deployment.objects.filter(pk__in=[d.pk for d in chunk], status=row.was)
            written = rows.update(
                status=row.status,
                is_open=not is_final(DeploymentStatus(row.status)),
                progress=row.progress,
                result_code=row.code,
                detail=row.detail,
                installed_at=row.installed_at,
                soak_ends_at=row.soak_ends_at,
                changed_at=self._now,
            )
            if written != len(chunk):
                raise RuntimeError("a deployment changed although its row was locked")

    def _mark_waves(self) -> None:
        """Unconditional on purpose: the update takes the row, so a tick that is counting either
        has seen these endings or finds the mark again (orchestrator.services.rollout_ticks)."""
        ended = {
            deployment.wave_id
            for deployment, row in self._rows.items()
            if row.was != row.status and is_final(DeploymentStatus(row.status))
        }
        for chunk in chunks(sorted(ended)):
            Wave.objects.filter(pk__in=chunk).update(recount=True)

    def _log(self) -> None:
        for deployment, row in self._rows.items():
            if row.was != row.status:
                log.info(
                    f"deployment_{row.status}",
                    deployment=str(deployment.pk),
                    device=deployment.device.device_id,
                    code=row.code,
                )


def _soak(deployment: Deployment) -> timedelta:
    """Going back is no trial: it is confirmed as soon as it is there."""
    if deployment.purpose == DeploymentPurpose.REVERT:
        return timedelta(0)
    return timedelta(seconds=deployment.wave.rollout.soak_s)


def locked(deployments: QuerySet[Deployment], limit: int | None = None) -> list[Deployment]:
    """The rows with what a change needs, locked in the order of their ids until the commit.

    SQLite has no row locks and needs none: its transactions take the write lock at their start.
    """
    rows = deployments.select_related("wave__rollout", "device", "variant").order_by("pk")
    return list(rows.only(*_READ).select_for_update(of=("self",))[:limit])


def move_all(
    deployments: QuerySet[Deployment],
    status: DeploymentStatus,
    now: datetime,
    code: str = "",
    detail: str = "",
) -> int:
    """Move every deployment of a query that the move takes out of it, some hundreds at a time.

    Each piece is a transaction of its own, so a kill in between leaves the rest for the next call.
    """
    moved = 0
    while True:
        with transaction.atomic():
            rows = locked(deployments, CHUNK)
            changes = DeploymentChanges(now)
            for row in rows:
                changes.move(row, status, code, detail)
            moved += changes.write()
        if len(rows) < CHUNK:
            return moved
