"""How many devices may have an update under way at once."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

from orchestrator.models import Deployment
from orchestrator.services.targets import TargetError


def check_room(device_keys: Iterable[int]) -> None:
    """TargetError where deployments for these devices would be more than OPEN_DEPLOYMENTS_MAX.

    A device whose update this one takes over counts once. Of two rollouts that start in the same
    moment on PostgreSQL both may find room: the limit is a guard, not a promise to the last device.
    Orders to go back are not held to it.
    """
    wanted, limit = set(device_keys), settings.OPEN_DEPLOYMENTS_MAX
    opened = Deployment.objects.filter(is_open=True).order_by()
    others = set(opened.values_list("device_id", flat=True).distinct()) - wanted
    if len(wanted) + len(others) > limit:
        raise TargetError(
            f"It would open {len(wanted)} deployments beside {len(others)} that are open; "
            f"{limit} are allowed. Choose fewer devices, wait for the others or abort one, "
            "or raise TINYFLEET_OPEN_DEPLOYMENTS_MAX."
        )
