"""Whether a plan's waves can succeed at all in the time that its rollout has."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from orchestrator.models import Rollout
from orchestrator.policy.rollout import Policy, least_successes
from orchestrator.policy.sending import most_orders, parse_window
from orchestrator.services.plans import Plan
from orchestrator.services.targets import RolloutError


def check_reach(rollout: Rollout, planned: Plan, now: datetime) -> None:
    """RolloutError where its hours and its rate let too few orders out before it expires.

    Each wave needs its share of confirmed devices before the next one goes, so that many have to
    be sent. Where devices are slow or offline it may fail for want of time all the same.
    """
    begins = max(rollout.start_at or now, now)
    most = most_orders(
        parse_window(rollout.window), rollout.max_per_minute, begins, rollout.expires_at
    )
    if most == 0 and planned.updates:
        raise _too_soon(rollout, "Nothing can ever be sent: its hours do not begin")
    waves = Counter(share.wave for share in planned.updates)
    policy = Policy(rollout.success_threshold, rollout.error_threshold)
    needed = sum(least_successes(policy, devices) for devices in waves.values())
    if most is not None and needed > most:
        raise _too_soon(
            rollout,
            f"The success threshold can never be met: {needed:,} devices have to succeed, but hours"
            f" and rate let at most {most:,} orders out",
        )


def _too_soon(rollout: Rollout, what: str) -> RolloutError:
    expiry = f"{rollout.expires_at:%F %R %Z}"
    why = f"{what} before it expires, {expiry}. Widen them, or let it expire later."
    return RolloutError(why, {"expires_at": why})
