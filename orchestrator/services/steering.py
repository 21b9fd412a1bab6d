"""An operator's order to a rollout, held to the fleets that the operator may act on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.contrib.auth.models import User

from orchestrator.models import Deployment, Rollout
from orchestrator.services.plans import plan
from orchestrator.services.targets import TargetError
from registry.services.scopes import OutOfScope, check_scope, is_scoped


def steer(order: Callable[[Rollout], Rollout], rollout: Rollout, user: User | None) -> Rollout:
    """Follow an order of `user`; TargetError where some of its devices are not the user's."""
    if is_scoped(user):
        check_own(user, _device_keys(rollout))
    return order(rollout)


def check_own(user: User | None, device_keys: Iterable[int]) -> None:
    """TargetError where one of these devices is outside of what the user may act on."""
    try:
        check_scope(user, device_keys)
    except OutOfScope as error:
        raise TargetError(str(error)) from error


def _device_keys(rollout: Rollout) -> set[int]:
    """Of what it has begun with; of a draft, whatever it would begin with now."""
    begun = Deployment.objects.filter(wave__rollout=rollout)
    keys = set(begun.values_list("device_id", flat=True))
    return keys or {share.device.pk for share in plan(rollout).assignments}
