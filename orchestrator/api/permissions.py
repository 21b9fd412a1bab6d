"""Who may steer what is there already."""

from __future__ import annotations

from registry.api.permissions import ModelPermissionsOrPublicRead


class SteeringPermissions(ModelPermissionsOrPublicRead):
    """An order to an existing row changes it, though it comes as a POST."""

    perms_map = {
        **ModelPermissionsOrPublicRead.perms_map,
        "POST": ["%(app_label)s.change_%(model_name)s"],
    }
