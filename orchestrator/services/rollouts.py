"""Campaigns as an operator steers them: create, start, pause, resume, abort, retry.

What happens by itself between these orders is in `rollout_ticks`; who gets what is in `plans`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from orchestrator.models import Rollout, RolloutStatus, Wave, WaveStatus
from orchestrator.services.approvals import approve, check_approval
from orchestrator.services.champions import uncrown
from orchestrator.services.left_alone import left_alone
from orchestrator.services.plans import Plan, check_plan, plan
from orchestrator.services.reach import check_reach
from orchestrator.services.retries import retry_failed
from orchestrator.services.rollout_drafts import LATEST_START, check_draft
from orchestrator.services.rollout_start import begin
from orchestrator.services.rollout_ticks import settle_ended, tick
from orchestrator.services.steering import check_own
from orchestrator.services.targets import RolloutError
from registry.models import Release, Variant

__all__ = [
    "Plan",
    "RolloutError",
    "RolloutPolicy",
    "abort",
    "approve",
    "create_rollout",
    "draft_rollout",
    "left_alone",
    "pause",
    "plan",
    "resume",
    "retry_failed",
    "roll_back",
    "start_rollout",
    "tick",
]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RolloutPolicy:
    """How a rollout proceeds; the defaults are one wave that tolerates a fifth of errors.

    Percentages are cumulative; `wave_sizes` give numbers of devices instead, and one more wave
    takes the rest. Thresholds are fractions of one; `expires_at` defaults to DEPLOYMENT_EXPIRY_S
    after the start; `health` takes max_accuracy_drop, max_latency_ratio and max_restarts; `window`
    is as `orchestrator.policy.sending.parse_window` reads it.
    """

    wave_percentages: Sequence[float] = (100,)
    wave_sizes: Sequence[int] = ()
    is_dynamic: bool = False
    window: Any = None
    max_per_minute: int | None = None
    needs_approval: bool = False
    success_threshold: float = 0.9
    error_threshold: float = 0.2
    soak_s: int = 0
    start_at: datetime | None = None
    expires_at: datetime | None = None
    health: dict[str, float] | None = None
    revert_on_failure: bool = False


def draft_rollout(
    name: str,
    *,
    release: Release | None = None,
    variant: Variant | None = None,
    target: Any,
    policy: RolloutPolicy | None = None,
    user: User | None = None,
    now: datetime | None = None,
) -> Rollout:
    """An unsaved rollout whose fields hold; RolloutError names the one that does not.

    For a dry run pass it to `plan`.
    """
    moment, how = now or timezone.now(), policy or RolloutPolicy()
    begins = min(how.start_at or moment, moment + LATEST_START)
    rollout = Rollout(
        name=name.strip(),
        release=release,
        variant=variant,
        target=target,
        is_dynamic=how.is_dynamic,
        wave_percentages=_as_list(how.wave_percentages),
        wave_sizes=_as_list(how.wave_sizes),
        window=how.window,
        max_per_minute=how.max_per_minute,
        needs_approval=how.needs_approval or settings.ROLLOUTS_NEED_APPROVAL,
        success_threshold=how.success_threshold,
        error_threshold=how.error_threshold,
        soak_s=how.soak_s,
        health={} if how.health is None else how.health,
        revert_on_failure=how.revert_on_failure,
        start_at=how.start_at,
        expires_at=how.expires_at or begins + timedelta(seconds=settings.DEPLOYMENT_EXPIRY_S),
        created_by=user,
    )
    check_draft(rollout, moment)
    return rollout


def _as_list(numbers: Any) -> Any:
    """Whatever else came over REST is left as it is, for the check to name."""
    return list(numbers) if isinstance(numbers, tuple) else numbers


def check_order(
    rollout: Rollout, planned: Plan, user: User | None, now: datetime | None = None
) -> None:
    """RolloutError where nobody may send this as it is planned, or where it could not succeed."""
    check_plan(rollout, planned)
    check_reach(rollout, planned, now or timezone.now())
    check_own(user, (share.device.pk for share in planned.assignments))


def objection(
    rollout: Rollout, planned: Plan, user: User | None, now: datetime | None = None
) -> str:
    """The sentence with which `check_order` would refuse it; empty where it would not."""
    try:
        check_order(rollout, planned, user, now)
    except RolloutError as error:
        return str(error)
    return ""


def create_rollout(
    name: str,
    *,
    release: Release | None = None,
    variant: Variant | None = None,
    target: Any,
    policy: RolloutPolicy | None = None,
    user: User | None = None,
    now: datetime | None = None,
    proposal: str = "",
) -> Rollout:
    """A saved draft. It is planned first: RolloutError where nothing would fit anybody.

    `proposal` says what proposed it, where no `user` makes it.
    """
    rollout = draft_rollout(
        name, release=release, variant=variant, target=target, policy=policy, user=user, now=now
    )
    check_order(rollout, plan(rollout, now), user, now)
    rollout.proposal = proposal
    rollout.save()
    log.info("rollout_created", rollout=rollout.pk, name=rollout.name)
    return rollout


def start_rollout(rollout: Rollout, now: datetime | None = None) -> Rollout:
    """Send it on its way, or schedule it where its `start_at` is still to come."""
    moment = now or timezone.now()
    check_approval(rollout)
    if rollout.start_at is not None and rollout.start_at > moment:
        _move(rollout, {RolloutStatus.DRAFT}, RolloutStatus.SCHEDULED)
        return rollout
    begin(rollout, moment)
    rollout.refresh_from_db()
    return rollout


def pause(rollout: Rollout, now: datetime | None = None) -> Rollout:
    """Send nothing more until it is resumed; what devices hold already goes on."""
    return _move(rollout, {RolloutStatus.RUNNING}, RolloutStatus.PAUSED)


def resume(rollout: Rollout, now: datetime | None = None) -> Rollout:
    """Go on where it was paused."""
    return _move(rollout, {RolloutStatus.PAUSED}, RolloutStatus.RUNNING)


def abort(rollout: Rollout, now: datetime | None = None) -> Rollout:
    """End it: whatever is open and not yet installed is cancelled; what soaks ends its soak."""
    moment = now or timezone.now()
    with transaction.atomic():
        _move(rollout, _NOT_ENDED, RolloutStatus.ABORTED, finished_at=moment)
        unfinished = rollout.waves.filter(status__in=[WaveStatus.WAITING, WaveStatus.RUNNING])
        unfinished.update(status=WaveStatus.CANCELLED, finished_at=moment, recount=True)
    settle_ended(rollout, moment)
    return rollout


def roll_back(rollout: Rollout, now: datetime | None = None) -> Rollout:
    """Send every device that it updated back to what each ran before; its release loses the title.

    For one that has ended: what still runs is aborted first. Devices that have been given something
    else since are left alone.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        ended = _move(rollout, _ENDED, RolloutStatus.ROLLED_BACK, finished_at=moment)
        uncrown(ended)
    settle_ended(rollout, moment)
    return rollout


_ENDED = frozenset({RolloutStatus.COMPLETED, RolloutStatus.STOPPED, RolloutStatus.ABORTED})
_NOT_ENDED = frozenset(
    {
        RolloutStatus.DRAFT,
        RolloutStatus.SCHEDULED,
        RolloutStatus.RUNNING,
        RolloutStatus.PAUSED,
    }
)


def _move(
    rollout: Rollout, sources: Collection[RolloutStatus], status: RolloutStatus, **fields: Any
) -> Rollout:
    """Conditional, so that of two orders at once one is told that it came too late."""
    claimed = Rollout.objects.filter(pk=rollout.pk, status__in=list(sources))
    with transaction.atomic():
        if not claimed.update(status=status, **fields):
            rollout.refresh_from_db()
            raise RolloutError(
                f"{rollout.name!r} is {rollout.status}; only what is "
                f"{' or '.join(sorted(sources))} can become {status.value}."
            )
        Wave.objects.filter(rollout=rollout).update(recount=True)
    rollout.refresh_from_db()
    log.info(f"rollout_{status.value}", rollout=rollout.pk)
    return rollout


_ORDERS_OF = {
    RolloutStatus.DRAFT: frozenset({"start", "abort"}),
    RolloutStatus.SCHEDULED: frozenset({"abort"}),
    RolloutStatus.RUNNING: frozenset({"pause", "abort", "retry_failed"}),
    RolloutStatus.PAUSED: frozenset({"resume", "abort", "retry_failed"}),
    RolloutStatus.STOPPED: frozenset({"retry_failed", "roll_back"}),
    RolloutStatus.COMPLETED: frozenset({"retry_failed", "roll_back"}),
    RolloutStatus.ABORTED: frozenset({"roll_back"}),
    RolloutStatus.ROLLED_BACK: frozenset(),
}


def possible_orders(rollout: Rollout) -> frozenset[str]:
    """What an operator may order as it stands now; a name stands for the service of that name."""
    status = RolloutStatus(rollout.status)
    if status == RolloutStatus.DRAFT and rollout.needs_approval and not rollout.approved_at:
        return frozenset({"approve", "abort"})
    return _ORDERS_OF[status]
