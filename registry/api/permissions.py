"""Who may read and who may write over REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS, BasePermission, DjangoModelPermissions
from rest_framework.request import Request

from registry.services.scopes import is_scoped

if TYPE_CHECKING:  # the views' module reads this one's names while it is being loaded
    from rest_framework.views import APIView


def may_read(request: Request) -> bool:
    """Whoever is signed in; everyone where TINYFLEET_PUBLIC_READ opens reading."""
    return bool(settings.TINYFLEET_PUBLIC_READ or request.user.is_authenticated)


class ReadOrPublicRead(BasePermission):
    """For views that only ever read, whatever their method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return may_read(request)


class ModelPermissionsOrPublicRead(DjangoModelPermissions):
    """Reading as `may_read` says; writing by the model permissions that the admin hands out."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.method in SAFE_METHODS:
            return may_read(request)
        return super().has_permission(request, view)


class ThingPermissions(BasePermission):
    """Reading as `may_read` says; a thing in the directory is a device, and written as one.

    What may be both a creation and a change, as a PUT, takes the permissions for both.
    """

    _NEEDED: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "POST": ("registry.add_device",),
        "PUT": ("registry.add_device", "registry.change_device"),
        "PATCH": ("registry.change_device",),
        "DELETE": ("registry.delete_device",),
    }

    def has_permission(self, request: Request, view: APIView) -> bool:
        needed = self._NEEDED.get(request.method or "")
        if needed is None:
            return may_read(request)
        user = request.user
        return bool(user.is_authenticated and user.has_perms(needed) and not is_scoped(user))
