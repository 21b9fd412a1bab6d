"""What a user who is held to some fleets may not do, whatever groups say."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from registry.services.scopes import is_scoped

# What concerns the whole installation: who comes in, what fleets hold, who may do what.
_CHANGES = ("add", "change", "delete")
_EVERYBODYS = frozenset(
    f"{app}.{act}_{model}"
    for app, model in (
        ("registry", "fleet"),
        ("registry", "fleetscope"),
        ("orchestrator", "knowndevice"),
        ("orchestrator", "enrolmenttoken"),
        ("auth", "user"),
        ("auth", "group"),
    )
    for act in _CHANGES
) | {"registry.add_device", "registry.delete_device"}


class ScopeBackend:
    """Stands before the backend that grants by groups, and refuses; it grants nothing itself.

    It knows no users: Django takes the first backend that has a `get_user` for who signs in.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        """Nobody signs in here."""

    def has_perm(self, user_obj: User | AnonymousUser, perm: str, obj: Any = None) -> bool:
        """False leaves it to the others; PermissionDenied ends the matter."""
        if perm in _EVERYBODYS and is_scoped(user_obj):
            raise PermissionDenied
        return False
