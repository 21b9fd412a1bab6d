"""What a user's queries may take, by the user's role."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User

from ontology.readers import Asker, QueryLimits


class Role(StrEnum):
    """What a user is here for; from the third on, the name of a group of users in the admin."""

    ANONYMOUS = "anonymous"
    VIEWER = "viewer"
    OPERATOR = "operator"
    MODEL_ENGINEER = "model engineer"
    ADMINISTRATOR = "administrator"


_BY_GROUP = (Role.ADMINISTRATOR, Role.MODEL_ENGINEER, Role.OPERATOR)  # the first that fits


def role_of(user: User | AnonymousUser) -> Role:
    """The user's role: nobody known, a superuser, a member of a group of that name, or a viewer."""
    if not user.is_authenticated:
        return Role.ANONYMOUS
    if user.is_superuser:
        return Role.ADMINISTRATOR
    groups = {name.casefold() for name in user.groups.values_list("name", flat=True)}
    return next((role for role in _BY_GROUP if role in groups), Role.VIEWER)


def asker(user: User | AnonymousUser) -> Asker:
    """Whose share the user's queries take; all that nobody knows share one."""
    role = role_of(user)
    name = f"user {user.pk}" if user.is_authenticated else role.value
    return Asker(name, limits_of(role))


def ourselves(purpose: str) -> Asker:
    """The product's own questions, under the limits of a viewer."""
    return Asker(purpose, limits_of(Role.VIEWER))


def limits_of(role: Role) -> QueryLimits:
    """The general limits, and where the role's setting names others, those."""
    general = QueryLimits(
        time_s=settings.SPARQL_TIMEOUT_S,
        memory_bytes=settings.SPARQL_MEMORY_BYTES,
        rows=settings.SPARQL_MAX_ROWS,
        answer_bytes=settings.SPARQL_MAX_ANSWER_BYTES,
        wait_s=settings.SPARQL_WAIT_S,
    )
    own: dict[str, Any] = settings.SPARQL_ROLES[role.value]
    return replace(general, **own)
