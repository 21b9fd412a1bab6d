"""How often a device may report on one deployment before its reports are no longer looked at."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from orchestrator.policy.lifecycle import Transition, advance, is_final
from orchestrator.protocol.messages import DeploymentStatus, Report
from orchestrator.protocol.topics import TopicKind
from orchestrator.services.deployment_changes import DeploymentChanges
from orchestrator.services.locked_deployments import LockedDeployment
from orchestrator.services.traffic_drops import Drop, DropReason, count_drops


class ReportQuota:
    """Counts the reports of one batch with its changes.

    A device that is over its quota costs no row any more.
    """

    def __init__(self, changes: DeploymentChanges) -> None:
        self._limit = settings.REPORTS_PER_DEPLOYMENT_MAX
        self._changes = changes
        self._drops: list[Drop] = []

    def admits(self, device: str, deployment: LockedDeployment, report: Report) -> bool:
        """Whether this report counts: it is within the quota, or says how the update ended."""
        if self._changes.reports_of(deployment) < self._limit:
            self._changes.count_report(deployment)
            return True
        if _is_outcome(self._changes.status_of(deployment), report):
            return True
        detail = f"{device}: more than {self._limit} reports on deployment {deployment.pk}"
        self._drops.append(Drop(DropReason.REPORTS, TopicKind.REPORT.value, detail, device))
        return False

    def write(self, now: datetime) -> None:
        """Count what was refused."""
        count_drops(self._drops, now)


def _is_outcome(current: DeploymentStatus, report: Report) -> bool:
    """Not one that was known before: it could be said for ever."""
    word = advance(current, report.status, report.code)
    if not isinstance(word, Transition):
        return False
    return is_final(word.status) or word.status is DeploymentStatus.INSTALLED
