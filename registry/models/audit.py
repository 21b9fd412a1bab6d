"""Who did what."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class AuditChannel(models.TextChoices):
    """By what way something was done."""

    ADMIN = "admin"
    REST = "rest"
    COMMAND = "command"
    SYSTEM = "system"


class AuditOutcome(models.TextChoices):
    """What came of it. Refused: a rule or a missing permission; failed: an error of ours."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class AuditEntry(models.Model):
    """One act and its result. Rows are written once; no page and no route changes them.

    `actor` is the name that somebody had then: users are renamed and deleted.
    """

    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=150)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    channel = models.CharField(max_length=8, choices=AuditChannel.choices)
    action = models.CharField(max_length=120)
    subject = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=8, choices=AuditOutcome.choices)
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit trail"
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_by_time"),
            models.Index(fields=["subject", "-at"], name="audit_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.subject}".rstrip()
