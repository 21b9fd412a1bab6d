"""The four roles as groups of users: who may do what in the admin and over REST."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q

from registry.services.query_limits import Role

_APPS = ("registry", "orchestrator")
# Ids that have not joined yet, tokens and the trail are not for everybody's eyes.
_CONFIDENTIAL = ("view_knowndevice", "view_enrolmenttoken", "view_auditentry", "view_fleetscope")
_OPERATOR = (
    "change_device",
    "add_fleet",
    "change_fleet",
    "delete_fleet",
    "add_rollout",
    "change_rollout",
    "approve_rollout",
    "add_knowndevice",
    "change_knowndevice",
    "delete_knowndevice",
    "view_knowndevice",
    "add_enrolmenttoken",
    "delete_enrolmenttoken",
    "view_enrolmenttoken",
)
_MODEL_ENGINEER = (
    "add_registeredmodel",
    "change_registeredmodel",
    "add_release",
    "change_release",
    "add_variant",
    "change_variant",
    "add_measurement",
    "change_measurement",
    "add_rollout",
    "add_job",
    "change_job",
    "change_compressionoffer",
)

_VIEWED = Q(codename__startswith="view_") & ~Q(codename__in=_CONFIDENTIAL)
_GRANTED: Mapping[Role, Q] = {
    Role.VIEWER: Q(content_type__app_label__in=_APPS) & _VIEWED,
    Role.OPERATOR: Q(content_type__app_label__in=_APPS) & (_VIEWED | Q(codename__in=_OPERATOR)),
    Role.MODEL_ENGINEER: Q(content_type__app_label__in=_APPS)
    & (_VIEWED | Q(codename__in=_MODEL_ENGINEER)),
    Role.ADMINISTRATOR: Q(content_type__app_label__in=(*_APPS, "auth", "authtoken")),
}


@transaction.atomic
def load_roles() -> dict[str, int]:
    """Make the groups, or bring their permissions back to what a role is; how many each has.

    Users keep their groups. Names of groups are told apart without regard to case.
    """
    counted = {}
    for role, granted in _GRANTED.items():
        name = role.value.capitalize()
        group = Group.objects.filter(name__iexact=name).first() or Group.objects.create(name=name)
        permissions = Permission.objects.filter(granted)
        group.permissions.set(permissions)
        counted[group.name] = permissions.count()
    return counted
