"""How rollouts stand: counts and lists for decisions, pages and the API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Q, QuerySet

from orchestrator.models import Deployment, DeploymentPurpose, Rollout, Wave
from orchestrator.policy.rollout import Stage, Tally, WaveCounts, tally_of
from orchestrator.protocol.messages import DeploymentStatus

#: Attempts that a retry repeats.
RETRYABLE = (
    DeploymentStatus.FAILED,
    DeploymentStatus.ROLLED_BACK,
    DeploymentStatus.REJECTED,
    DeploymentStatus.EXPIRED,
    DeploymentStatus.CANCELLED,
)


def newest_updates(rollout: Rollout, **of_waves: Any) -> QuerySet[Deployment]:
    """Each device's newest attempt: what the thresholds are about. Reverts are not among them.

    Conditions on the waves are looked up apart, so that the rows can be locked alone.
    """
    waves = Wave.objects.filter(rollout=rollout, **of_waves)
    return Deployment.objects.filter(
        wave__in=waves, is_newest=True, purpose=DeploymentPurpose.UPDATE
    )


def wave_counts(rollout: Rollout) -> list[WaveCounts]:
    """Every wave with its tallies, in order."""
    tallies = _tallies(rollout)
    return [
        WaveCounts(
            wave.number,
            Stage(wave.status),
            open=tallies[wave.pk, Tally.OPEN],
            success=tallies[wave.pk, Tally.SUCCESS],
            error=tallies[wave.pk, Tally.ERROR],
            missed=tallies[wave.pk, Tally.MISSED],
        )
        for wave in Wave.objects.filter(rollout=rollout).order_by("number")
    ]


def _tallies(rollout: Rollout) -> Counter[tuple[int, Tally]]:
    rows = newest_updates(rollout).order_by().values_list("wave_id", "outcome")
    tallies: Counter[tuple[int, Tally]] = Counter()
    for wave, outcome, count in rows.annotate(count=Count("pk")):
        tally = tally_of(DeploymentStatus(outcome)) if outcome else Tally.OPEN
        tallies[wave, tally] += count
    return tallies


def wave_status_counts(rollouts: Iterable[Rollout]) -> dict[int, dict[str, int]]:
    """By wave's primary key: how many newest attempts stand in each status.

    Two queries, since those that have ended are counted in an index and the others are not.
    """
    rows = Deployment.objects.filter(
        wave__rollout__in=list(rollouts), is_newest=True, purpose=DeploymentPurpose.UPDATE
    )
    counts: dict[int, dict[str, int]] = {}
    open_ones, ended = rows.filter(is_open=True), rows.exclude(outcome="")
    for status, some in (("status", open_ones), ("outcome", ended)):
        grouped = some.order_by().values_list("wave_id", status)
        for wave, name, count in grouped.annotate(count=Count("pk")):
            counts.setdefault(wave, {})[name] = count
    return counts


def taken_later(rollout: Rollout) -> QuerySet[Deployment]:
    """What rollouts that began after this one have for any device."""
    later = Q(wave__rollout__started_at__gt=rollout.started_at) | Q(
        wave__rollout__started_at=rollout.started_at, wave__rollout__pk__gt=rollout.pk
    )
    return Deployment.objects.filter(later).exclude(status=DeploymentStatus.NOT_APPLICABLE)
