"""How many orders each rollout may send just now: by its hours and by its rate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import Q

from orchestrator.models import Deployment, Rollout, RolloutStatus
from orchestrator.policy.sending import allowance, parse_window

_MINUTE = timedelta(minutes=1)


def sending_limits(now: datetime) -> Mapping[int, int]:
    """By running rollout, how many more orders may go out now; one that is free is not in it."""
    limited = Rollout.objects.filter(
        Q(window__isnull=False) | Q(max_per_minute__isnull=False), status=RolloutStatus.RUNNING
    )
    limits = {}
    for rollout in limited.only("window", "max_per_minute"):
        limit = _limit(rollout, now)
        if limit is not None:
            limits[rollout.pk] = limit
    return limits


def _limit(rollout: Rollout, now: datetime) -> int | None:
    window = parse_window(rollout.window)
    if window is not None and not window.is_open(now):
        return 0
    if rollout.max_per_minute is None:
        return None
    # Of reverts too: the link that a rate protects does not ask why something is sent.
    sent = Deployment.objects.filter(wave__rollout=rollout, notified_at__gt=now - _MINUTE)
    return allowance(rollout.max_per_minute, sent.count())
