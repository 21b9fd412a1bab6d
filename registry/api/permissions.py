"""Who may read and who may write over REST."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS, BasePermission, DjangoModelPermissions
from rest_framework.request import Request

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
