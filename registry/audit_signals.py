"""Signing in and out leave entries in the audit trail, whatever page they came by."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.utils import timezone

from registry.models.audit import AuditChannel, AuditOutcome
from registry.services.audit import SIGN_IN, Act, record, refused_sign_ins


def connect() -> None:
    """Connect every receiver, once a process."""
    user_logged_in.connect(_signed_in, dispatch_uid="audit-signed-in")
    user_logged_out.connect(_signed_out, dispatch_uid="audit-signed-out")
    user_login_failed.connect(_failed, dispatch_uid="audit-sign-in-failed")


def _signed_in(sender: Any, user: User, **more: Any) -> None:
    record(Act(AuditChannel.ADMIN, SIGN_IN), user)


def _signed_out(sender: Any, user: User | None, **more: Any) -> None:
    record(Act(AuditChannel.ADMIN, "sign out"), user)


def _failed(sender: Any, credentials: dict[str, Any], **more: Any) -> None:
    """With the name that was tried, Django having taken the password out; a flood is cut short."""
    if refused_sign_ins(timezone.now()) >= settings.AUDIT_REFUSED_SIGN_INS_PER_MINUTE:
        return
    name = str(credentials.get("username", ""))
    record(Act(AuditChannel.ADMIN, SIGN_IN, name, AuditOutcome.REFUSED, "wrong name or password"))
