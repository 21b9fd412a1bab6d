"""How long a plan will take, from how long past updates took; not known where there were none."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from orchestrator.models import Deployment, DeploymentPurpose, Rollout
from orchestrator.services.plans import Assignment, Plan

_PAST = 1000


@dataclass(frozen=True, slots=True)
class ExpectedTime:
    """Seconds from the start to the last confirmation where every device is online.

    Waves follow each other; within one the devices fetch side by side, at the median rate of the
    last `updates` that came through. Hours in which nothing may be sent come on top.
    """

    seconds: float
    updates: int


def expected_time(rollout: Rollout, planned: Plan) -> ExpectedTime | None:
    """None where no update has come through yet, or nothing would be sent."""
    rates = _past_rates()
    if not rates or not planned.updates:
        return None
    rate = statistics.median(rates)
    waves: dict[int, list[Assignment]] = {}
    for share in planned.updates:
        waves.setdefault(share.wave, []).append(share)
    return ExpectedTime(sum(_wave_s(rollout, each, rate) for each in waves.values()), len(rates))


def _wave_s(rollout: Rollout, shares: list[Assignment], rate: float) -> float:
    sending_s = 60 * len(shares) / rollout.max_per_minute if rollout.max_per_minute else 0.0
    return sending_s + max(share.download_bytes for share in shares) / rate + rollout.soak_s


def _past_rates() -> list[float]:
    """Bytes a second from the order to the installation, of the newest updates."""
    rows = Deployment.objects.filter(
        purpose=DeploymentPurpose.UPDATE,
        notified_at__isnull=False,
        installed_at__isnull=False,
        variant__artifact__isnull=False,
    ).order_by("-installed_at")
    past = rows.values_list("notified_at", "installed_at", "variant__artifact__size_bytes")
    return [
        size / (installed - notified).total_seconds()
        for notified, installed, size in past[:_PAST]
        if notified is not None and installed is not None and installed > notified
    ]
