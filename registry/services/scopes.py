"""What a user may act on: everything, or the devices of some fleets."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet

from registry.models import Device, FleetScope
from registry.services.pieces import chunks

_SHOWN = 3


class OutOfScope(Exception):
    """An act on devices that are not the user's; the message is a sentence."""


def scope_of(user: User | AnonymousUser | None) -> FleetScope | None:
    """None for whoever may act on every device: a terminal, a superuser, a user without a row."""
    if not isinstance(user, User) or user.is_superuser:
        return None
    return FleetScope.objects.filter(user=user).first()


def check_scope(user: User | AnonymousUser | None, device_keys: Iterable[int]) -> None:
    """OutOfScope, with examples, where one of these devices is outside of the user's fleets."""
    scope = scope_of(user)
    if scope is None:
        return
    keys = set(device_keys)
    outside = keys - set(_own(scope).values_list("pk", flat=True))
    if outside:
        names = _names(sorted(outside)[:_SHOWN])
        raise OutOfScope(
            f"{len(outside)} of {len(keys)} devices are in none of the fleets that {user} may act"
            f" on, e.g. {', '.join(names)}."
        )


def within_scope(user: User | None, devices: list[Device]) -> list[Device]:
    """Those of the devices that the user may act on."""
    scope = scope_of(user)
    if scope is None:
        return devices
    own = set(_own(scope).values_list("pk", flat=True))
    return [device for device in devices if device.pk in own]


def covers(user: User | AnonymousUser | None, device_keys: Iterable[int]) -> bool:
    """Whether `check_scope` has nothing to say."""
    try:
        check_scope(user, device_keys)
    except OutOfScope:
        return False
    return True


def may_change_device(user: User | AnonymousUser, device_key: int | None) -> bool:
    """Accept, revoke or re-key one device; of a user with a scope, one of its own."""
    if not user.has_perm("registry.change_device"):
        return False
    return device_key is None or covers(user, [device_key])


def is_scoped(user: User | AnonymousUser | None) -> bool:
    """Such a user changes nothing of the whole installation, fleets and who joins among it."""
    return scope_of(user) is not None


def _own(scope: FleetScope) -> QuerySet[Device]:
    return Device.objects.filter(fleets__in=scope.fleets.all()).distinct()


def _names(keys: list[int]) -> list[str]:
    found: list[str] = []
    for chunk in chunks(keys):
        found += Device.objects.filter(pk__in=chunk).values_list("device_id", flat=True)
    return sorted(found)
