"""Which release of a model is the one to trust."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db.models import Q, QuerySet

from orchestrator.models import Rollout, RolloutStatus
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.selectors.rollouts import newest_updates
from orchestrator.services import mlflow_watch
from registry.models import RegisteredModel, Release
from registry.services.inventory import save_model

log = structlog.get_logger(__name__)

_PROOF = (DeploymentStatus.CONFIRMED, DeploymentStatus.ALREADY_INSTALLED)


def crown(rollout: Rollout, now: datetime) -> None:
    """Make a completed rollout's release its model's champion.

    Not for a rollout that reached nobody, and not where one that began later has completed before:
    an old campaign that ends late must not take the title back.
    """
    release = rollout.release
    if release is None or not newest_updates(rollout).filter(status__in=_PROOF).exists():
        return
    if _later_ones(rollout, release).exists():
        return
    model = _locked(release)
    if model.champion_id != release.pk:
        row = Rollout.objects.filter(pk=rollout.pk)
        row.update(previous_champion=model.champion, crowned_at=now)
        _entitle(model, release)


def uncrown(rollout: Rollout) -> None:
    """Give the title back to the release that this rollout took it from, or to none.

    Not where another release has it by now, and not where this one had it before.
    """
    row = Rollout.objects.select_related("release", "previous_champion").get(pk=rollout.pk)
    release = row.release
    if release is None or row.crowned_at is None:
        return
    Rollout.objects.filter(pk=row.pk).update(crowned_at=None)
    model = _locked(release)
    if model.champion_id == release.pk:
        _entitle(model, row.previous_champion)


def _locked(release: Release) -> RegisteredModel:
    return RegisteredModel.objects.select_for_update().get(pk=release.model_id)


def _entitle(model: RegisteredModel, release: Release | None) -> None:
    model.champion = release
    save_model(model)
    mlflow_watch.hurry()
    log.info("champion_changed", model=model.name, release=release.number if release else None)


def _later_ones(rollout: Rollout, release: Release) -> QuerySet[Rollout]:
    began_later = Q(started_at__gt=rollout.started_at) | Q(
        started_at=rollout.started_at, pk__gt=rollout.pk
    )
    same_model = Rollout.objects.filter(release__model_id=release.model_id)
    return same_model.filter(began_later, status=RolloutStatus.COMPLETED)
