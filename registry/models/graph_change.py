"""The transactional outbox between the inventory and the knowledge graph."""

from __future__ import annotations

from django.db import models


class SubjectKind(models.TextChoices):
    """What has a named graph of its own."""

    BOARD = "board"
    RUNTIME = "runtime"
    FIRMWARE = "firmware"
    PROFILE = "profile"
    DEVICE = "device"
    FLEET = "fleet"
    MODEL = "model"
    RELEASE = "release"
    VARIANT = "variant"
    VERDICTS = "verdicts"
    TECHNIQUE = "technique"
    WORK = "work"


class GraphChange(models.Model):
    """One subject whose graph is out of date. Written in the transaction that changed the row."""

    kind = models.CharField(max_length=10, choices=SubjectKind.choices)
    subject = models.CharField(max_length=160, help_text="The key in the subject's IRI")
    marked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
