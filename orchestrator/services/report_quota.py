"""How often a device may report on one deployment before its reports are no longer looked at."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime

from django.conf import settings

from orchestrator.models import Deployment
from orchestrator.policy.lifecycle import Transition, advance, is_final
from orchestrator.protocol.messages import DeploymentStatus, Report
from orchestrator.protocol.topics import TopicKind
from orchestrator.services.traffic_drops import Drop, DropReason, count_drops
from registry.services.pieces import chunks


class ReportQuota:
    """Counts the reports of one batch about deployments that this transaction has locked."""

    def __init__(self) -> None:
        self._limit = settings.REPORTS_PER_DEPLOYMENT_MAX
        self._heard: Counter[Deployment] = Counter()
        self._drops: list[Drop] = []

    def admits(self, deployment: Deployment, current: DeploymentStatus, report: Report) -> bool:
        """Whether this report counts: it is within the quota, or says how the update ended."""
        if deployment.reports + self._heard[deployment] < self._limit:
            self._heard[deployment] += 1
            return True
        if _is_outcome(current, report):
            return True
        detail = f"more than {self._limit} reports on deployment {deployment.pk}"
        device = deployment.device.device_id
        self._drops.append(
            Drop(DropReason.REPORTS, TopicKind.REPORT.value, f"{device}: {detail}", device)
        )
        return False

    def write(self, now: datetime) -> None:
        """Keep the counts; a device that is over its quota costs no row any more."""
        by_count: dict[int, list[Deployment]] = defaultdict(list)
        for deployment, heard in self._heard.items():
            if heard:
                by_count[deployment.reports + heard].append(deployment)
        for count, deployments in by_count.items():
            for chunk in chunks(deployments):
                rows = Deployment.objects.filter(pk__in=[each.pk for each in chunk])
                rows.update(reports=count)
        count_drops(self._drops, now)


def _is_outcome(current: DeploymentStatus, report: Report) -> bool:
    """Not one that was known before: it could be said for ever."""
    word = advance(current, report.status, report.code)
    if not isinstance(word, Transition):
        return False
    return is_final(word.status) or word.status is DeploymentStatus.INSTALLED
