"""A rollout that nobody made: proposed since an alias was moved in MLflow, started by a person."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime

import structlog
from django.utils import timezone

from orchestrator.models import MlflowAlias, Rollout, RolloutStatus
from orchestrator.services.rollouts import RolloutPolicy, create_rollout
from registry.models import Release
from registry.models.audit import AuditChannel
from registry.services.audit import Act, record

log = structlog.get_logger(__name__)

_OPEN = (RolloutStatus.DRAFT, RolloutStatus.SCHEDULED, RolloutStatus.RUNNING, RolloutStatus.PAUSED)
_EVERYBODY = {"all": True}
# What belongs to one campaign and not to how campaigns of a model proceed.
_ITS_OWN = {"start_at", "expires_at", "needs_approval"}


def is_undecided(rollout: Rollout, now: datetime) -> bool:
    """Whether anything may still come of it; a draft that was not started in time is none."""
    is_late = rollout.status == RolloutStatus.DRAFT and rollout.expires_at <= now
    return rollout.status in _OPEN and not is_late


def propose(alias: MlflowAlias, release: Release, version: str) -> Rollout:
    """The open rollout of that release, or else a draft that somebody has to approve and start.

    It goes to whom the model's last rollout went, in the same way. RolloutError where it cannot
    be, as where nothing of the release fits anybody.
    """
    for rollout in Rollout.objects.filter(release=release, status__in=_OPEN):
        if is_undecided(rollout, timezone.now()):
            return rollout
    said = f"MLflow: {alias.title} of {alias.mlflow_model} was moved to version {version}"
    last = _last_rollout(release)
    rollout = create_rollout(
        f"{release.model.name}/{release.number} as {alias.title}",
        release=release,
        target=last.target if last is not None else _EVERYBODY,
        policy=_policy_like(last),
        proposal=said,
    )
    log.info("rollout_proposed", rollout=rollout.pk, alias=str(alias), version=version)
    act = Act(AuditChannel.SYSTEM, "rollout proposed", f"rollout {rollout.pk}", detail=said)
    record(act, actor="worker")
    return rollout


def _last_rollout(release: Release) -> Rollout | None:
    """The newest of this model that was begun; a draft says nothing yet of how it is done."""
    begun = Rollout.objects.filter(release__model=release.model_id, started_at__isnull=False)
    return begun.first()


def _policy_like(last: Rollout | None) -> RolloutPolicy:
    if last is None:
        return RolloutPolicy(needs_approval=True)
    names = {each.name for each in fields(RolloutPolicy)} - _ITS_OWN
    return RolloutPolicy(needs_approval=True, **{name: getattr(last, name) for name in names})
