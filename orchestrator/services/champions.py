"""Which release of a model is the one to trust."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from orchestrator.models import Rollout, RolloutStatus
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.selectors.rollouts import newest_updates
from registry.models import RegisteredModel, Release
from registry.services.inventory import save_model

_PROOF = (DeploymentStatus.CONFIRMED, DeploymentStatus.ALREADY_INSTALLED)


def crown(rollout: Rollout) -> None:
    """Make a completed rollout's release its model's champion.

    Not for a rollout that reached nobody, and not where one that began later has completed before:
    an old campaign that ends late must not take the title back.
    """
    release = rollout.release
    if release is None or not newest_updates(rollout).filter(status__in=_PROOF).exists():
        return
    if _later_ones(rollout, release).exists():
        return
    model = RegisteredModel.objects.select_for_update().get(pk=release.model_id)
    if model.champion_id != release.pk:
        model.champion = release
        save_model(model)


def _later_ones(rollout: Rollout, release: Release) -> QuerySet[Rollout]:
    began_later = Q(started_at__gt=rollout.started_at) | Q(
        started_at=rollout.started_at, pk__gt=rollout.pk
    )
    same_model = Rollout.objects.filter(release__model_id=release.model_id)
    return same_model.filter(began_later, status=RolloutStatus.COMPLETED)
