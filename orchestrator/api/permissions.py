"""Who may steer what is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from orchestrator.models import KeyRequest
from registry.api.permissions import ModelPermissionsOrPublicRead
from registry.services.scopes import may_change_device

if TYPE_CHECKING:  # the views' module reads this one's names while it is being loaded
    from rest_framework.views import APIView


class SteeringPermissions(ModelPermissionsOrPublicRead):
    """An order to an existing row changes it, though it comes as a POST."""

    perms_map = {
        **ModelPermissionsOrPublicRead.perms_map,
        "POST": ["%(app_label)s.change_%(model_name)s"],
    }


class ApprovingPermissions(ModelPermissionsOrPublicRead):
    """Approving is a permission of its own, for it is worth nothing in the maker's hand."""

    perms_map = {
        **ModelPermissionsOrPublicRead.perms_map,
        "POST": ["%(app_label)s.approve_%(model_name)s"],
    }


class DevicePermissions(BasePermission):
    """Who may change devices may decide by which key one is known."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_authenticated and may_change_device(request.user, None))

    def has_object_permission(self, request: Request, view: APIView, obj: KeyRequest) -> bool:
        return may_change_device(request.user, obj.device_id)


class KnownDevicePermissions(BasePermission):
    """By model permissions, reading too: whoever knows an id that has not joined may come first."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        needed = "view" if request.method in SAFE_METHODS else "add"
        return bool(request.user.has_perm(f"orchestrator.{needed}_knowndevice"))
