"""What a run found, read from the installation's own records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, QuerySet

from orchestrator.models import Deployment, Rollout, Telemetry
from orchestrator.protocol.messages import DeploymentStatus

RUNS_ITS_VARIANT = (DeploymentStatus.CONFIRMED.value, DeploymentStatus.ALREADY_INSTALLED.value)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A device that got nothing, and the constraint that its nearest variant failed."""

    device: str
    constraint: str
    need: Any
    have: Any
    unit: str


def newest_telemetry() -> int:
    """The row id that separates what came before from what comes after."""
    return Telemetry.objects.aggregate(newest=Max("id"))["newest"] or 0


def confirmed(rollout: Rollout) -> QuerySet[Deployment]:
    """The deployments whose device runs what was meant for it."""
    return Deployment.objects.filter(wave__rollout=rollout, status__in=RUNS_ITS_VARIANT)


def refusals(rollout: Rollout) -> list[Refusal]:
    """Every device that does not run its variant, with the first constraint that failed."""
    others = Deployment.objects.filter(wave__rollout=rollout).exclude(status__in=RUNS_ITS_VARIANT)
    found = []
    for deployment in others.select_related("device").order_by("device__device_id"):
        failed = [reason for reason in deployment.reasons if reason["holds"] is False]
        reason = failed[0] if failed else _as_reason(deployment)
        found.append(
            Refusal(
                deployment.device.device_id,
                reason["constraint"],
                reason["need"],
                reason["have"],
                reason["unit"],
            )
        )
    return found


def _as_reason(deployment: Deployment) -> dict[str, Any]:
    return {
        "constraint": deployment.result_code or deployment.status,
        "need": None,
        "have": None,
        "unit": "",
    }


class NothingMeasured(Exception):
    """A phase without a single labelled sample, which no figure may hide."""


def accuracy(rows: Iterable[Telemetry]) -> float:
    """The share of right answers over all labelled samples; NothingMeasured without any."""
    pairs = [(row.accuracy, row.labelled) for row in rows if row.accuracy is not None]
    labelled = sum(count for _, count in pairs)
    if not labelled:
        raise NothingMeasured("no device sent a labelled sample in this phase")
    return sum(share * count for share, count in pairs) / labelled


def accuracy_by_device(rows: Iterable[Telemetry]) -> dict[int, float]:
    """The same for each device alone, by its primary key; devices without labels are left out."""
    of_device: dict[int, list[Telemetry]] = {}
    for row in rows:
        if row.labelled and row.accuracy is not None:
            of_device.setdefault(row.device_id, []).append(row)
    return {device: accuracy(packs) for device, packs in of_device.items()}


def phase(after: int, devices: Iterable[int], until: int | None = None) -> list[Telemetry]:
    """The packs between two marks, without each device's first, which straddles the mark."""
    found = Telemetry.objects.filter(id__gt=after, labelled__gt=0, variant__isnull=False)
    if until is not None:
        found = found.filter(id__lte=until)
    kept: list[Telemetry] = []
    seen: set[int] = set()
    for row in found.filter(device__in=list(devices)).order_by("id"):
        if row.device_id in seen:
            kept.append(row)
        seen.add(row.device_id)
    return kept


def fewest_packs(after: int, devices: Iterable[int]) -> int:
    """How many whole packs the slowest of these devices has sent since the mark."""
    counts = dict.fromkeys(devices, 0)
    for row in phase(after, counts):
        counts[row.device_id] += 1
    return min(counts.values(), default=0)
