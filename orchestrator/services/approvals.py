"""Two people for one rollout: who made it does not approve it."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone

from orchestrator.models import Rollout, RolloutStatus
from orchestrator.services.targets import RolloutError

log = structlog.get_logger(__name__)


def approve(rollout: Rollout, user: User, now: datetime | None = None) -> Rollout:
    """Let a draft be started. RolloutError where it needs no approval, has one, or is one's own."""
    if rollout.created_by_id == user.pk:
        raise RolloutError(f"{rollout.name!r} was made by {user}; somebody else has to approve it.")
    # Conditional: of two that approve at once one is told that it is done.
    if (
        not _waiting()
        .filter(pk=rollout.pk)
        .update(approved_by=user, approved_at=now or timezone.now())
    ):
        rollout.refresh_from_db()
        raise RolloutError(_why_not(rollout))
    rollout.refresh_from_db()
    log.info("rollout_approved", rollout=rollout.pk, by=user.pk)
    return rollout


def check_approval(rollout: Rollout) -> None:
    """RolloutError where somebody has to approve it first."""
    if rollout.needs_approval and rollout.approved_at is None:
        raise RolloutError(f"{rollout.name!r} waits for approval by a second person.")


def _waiting() -> QuerySet[Rollout]:
    return Rollout.objects.filter(
        status=RolloutStatus.DRAFT, needs_approval=True, approved_at__isnull=True
    )


def _why_not(rollout: Rollout) -> str:
    if rollout.approved_at is not None:
        return f"{rollout.name!r} has been approved by {rollout.approved_by or 'somebody'}."
    if rollout.status != RolloutStatus.DRAFT:
        return f"{rollout.name!r} is {rollout.status}; only a draft is approved."
    return f"{rollout.name!r} needs no approval."
