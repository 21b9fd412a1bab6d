"""The one place that writes a deployment's status: row, event, wave mark and inventory together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from orchestrator.models import Deployment, DeploymentEvent, DeploymentPurpose, Wave
from orchestrator.policy.lifecycle import is_final, may_follow
from orchestrator.policy.rollout import Tally, tally_of
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.services.locked_deployments import LockedDeployment, locked
from registry.models import Device
from registry.services.inventory import set_all_installed
from registry.services.pieces import CHUNK
from registry.services.row_sets import insert_rows, update_rows

log = structlog.get_logger(__name__)

MAX_DETAIL = 500
_EVENT = ("deployment", "at", "status", "code", "detail")
_KEYS = ("id", "status")
_WRITTEN = (
    "status",
    "is_open",
    "progress",
    "result_code",
    "detail",
    "reports",
    "installed_at",
    "soak_ends_at",
    "changed_at",
)


@dataclass(slots=True)
class _Row:
    """What the columns of one deployment become."""

    before: LockedDeployment
    status: DeploymentStatus
    progress: float
    code: str
    detail: str
    reports: int
    installed_at: datetime | None
    soak_ends_at: datetime | None
    is_only_counted: bool = True

    @classmethod
    def of(cls, deployment: LockedDeployment) -> _Row:
        """As it stands."""
        return cls(
            deployment,
            DeploymentStatus(deployment.status),
            deployment.progress,
            deployment.result_code,
            deployment.detail,
            deployment.reports,
            deployment.installed_at,
            deployment.soak_ends_at,
        )

    @property
    def moved(self) -> bool:
        """Whether it has another status than before."""
        return self.status != self.before.status

    def columns(self, now: datetime) -> tuple[Hashable, ...]:
        """As `_KEYS` and `_WRITTEN` name them."""
        return (
            self.before.pk,
            self.before.status,
            self.status.value,
            not is_final(self.status),
            self.progress,
            self.code,
            self.detail,
            self.reports,
            self.installed_at,
            self.soak_ends_at,
            now,
        )


class DeploymentChanges:
    """Collects changes of deployments that this transaction has locked, then writes them at once.

    Several changes of one deployment may follow each other before `write`; each becomes an event.
    Load with `locked`, so that nobody else decides about the same rows meanwhile.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._rows: dict[UUID, _Row] = {}
        self._events: list[tuple[UUID, datetime, str, str, str]] = []
        self._installed: dict[UUID, LockedDeployment] = {}

    def status_of(self, deployment: LockedDeployment) -> DeploymentStatus:
        """Its status with what has been collected so far."""
        row = self._rows.get(deployment.pk)
        return row.status if row else DeploymentStatus(deployment.status)

    def progress_of(self, deployment: LockedDeployment) -> float:
        """The fraction of its present status that is done, with what has been collected."""
        return self._rows.get(deployment.pk, deployment).progress

    def reports_of(self, deployment: LockedDeployment) -> int:
        """How many reports came about it, with what has been collected."""
        return self._rows.get(deployment.pk, deployment).reports

    def move(
        self,
        deployment: LockedDeployment,
        status: DeploymentStatus,
        code: str = "",
        detail: str = "",
        progress: float = 0.0,
    ) -> None:
        """To the next status; ValueError where the table of transitions forbids it."""
        row = self._row(deployment)
        if not may_follow(row.status, status):
            raise ValueError(f"{deployment.pk}: {row.status} is not followed by {status}")
        row.status, row.progress = status, progress
        row.code, row.detail, row.is_only_counted = code, detail[:MAX_DETAIL], False
        if status is DeploymentStatus.INSTALLED:
            row.installed_at = self._now
            self._installed[deployment.pk] = deployment
        self._events.append((deployment.pk, self._now, status.value, code, row.detail))

    def progress(self, deployment: LockedDeployment, fraction: float) -> None:
        """Further within the same status; no event."""
        row = self._row(deployment)
        row.progress, row.is_only_counted = fraction, False

    def count_report(self, deployment: LockedDeployment) -> None:
        """One more report about it."""
        self._row(deployment).reports += 1

    def write(self) -> int:
        """Write what was collected; returns how many deployments changed their status."""
        self._begin_soaks()
        self._update()
        insert_rows(DeploymentEvent, _EVENT, self._events)
        moved = [row for row in self._rows.values() if row.moved]
        _mark_waves(moved)
        self._note_installed()
        _log(moved)
        return len(moved)

    def _row(self, deployment: LockedDeployment) -> _Row:
        row = self._rows.get(deployment.pk)
        if row is None:
            row = self._rows[deployment.pk] = _Row.of(deployment)
        return row

    def _begin_soaks(self) -> None:
        waves = Wave.objects.filter(pk__in={each.wave_id for each in self._installed.values()})
        soaks = dict(waves.values_list("pk", "rollout__soak_s")) if self._installed else {}
        for deployment in self._installed.values():
            soak = _soak(deployment, soaks[deployment.wave_id])
            self._rows[deployment.pk].soak_ends_at = self._now + soak

    def _update(self) -> None:
        rows = self._rows.values()
        counted = [(row.before.pk, row.reports) for row in rows if row.is_only_counted]
        update_rows(Deployment, ("id",), ("reports",), counted)
        changed = [row.columns(self._now) for row in rows if not row.is_only_counted]
        if update_rows(Deployment, _KEYS, _WRITTEN, changed) != len(changed):
            raise RuntimeError("a deployment changed although its row was locked")

    def _note_installed(self) -> None:
        running = {
            deployment.device_id: deployment.variant_id
            for deployment in self._installed.values()
            if deployment.variant_id is not None
        }
        set_all_installed(running, self._now)


def _soak(deployment: LockedDeployment, soak_s: int) -> timedelta:
    """Going back is no trial: it is confirmed as soon as it is there."""
    is_revert = deployment.purpose == DeploymentPurpose.REVERT
    return timedelta(seconds=0 if is_revert else soak_s)


def _mark_waves(moved: Iterable[_Row]) -> None:
    """Unconditional on purpose: the update takes the row, so a tick that is counting either
    has seen these endings or finds the mark again (orchestrator.services.rollout_ticks)."""
    ended = {row.before.wave_id for row in moved if is_final(row.status)}
    if ended:
        Wave.objects.filter(pk__one_of=ended).update(recount=True)


def _log(moved: Sequence[_Row]) -> None:
    """How many came to what; each that ended badly by itself."""
    for (status, code), count in Counter((row.status, row.code) for row in moved).items():
        log.info("deployments_moved", status=status.value, code=code, count=count)
    failed = [row for row in moved if tally_of(row.status) is Tally.ERROR]
    keys = {row.before.device_id for row in failed}
    names = (
        dict(Device.objects.filter(pk__one_of=keys).values_list("pk", "device_id")) if keys else {}
    )
    for row in failed:
        device = names[row.before.device_id]
        key = str(row.before.pk)
        log.info(f"deployment_{row.status}", deployment=key, device=device, code=row.code)


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
