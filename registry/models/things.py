"""The Things directory: which descriptions are registered, and what happened to them."""

from __future__ import annotations

from django.db import models

from ontology.namespaces import IRI_LENGTH
from registry.models.devices import Device


class ThingRegistration(models.Model):
    """One description in the directory; its text is the device's `td`.

    `thing_id` is the description's own id, or the local one of a description without. `version`
    grows with every change, so that a client can say which state it means to replace.
    """

    thing_id = models.CharField("Thing id", max_length=IRI_LENGTH, unique=True)
    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="registration")
    created = models.DateTimeField()
    modified = models.DateTimeField()
    ttl_s = models.FloatField("time to live, s", null=True, blank=True)
    expires = models.DateTimeField(null=True, blank=True, db_index=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["thing_id"]

    def __str__(self) -> str:
        return self.thing_id


class ThingEventKind(models.TextChoices):
    """What may happen to a registration; the values are the names of server-sent events."""

    CREATED = "thing_created"
    UPDATED = "thing_updated"
    DELETED = "thing_deleted"


class ThingEvent(models.Model):
    """Something that happened to a registration, written in the transaction that did it.

    `number` is given once that transaction is committed, in an order that every reader sees alike:
    of two transactions the one with the smaller primary key may well end last.
    """

    number = models.PositiveBigIntegerField(null=True, unique=True, editable=False)
    kind = models.CharField(max_length=13, choices=ThingEventKind.choices)
    thing_id = models.CharField("Thing id", max_length=IRI_LENGTH)
    detail = models.TextField(
        blank=True, help_text="JSON: the description when created, a merge patch when updated"
    )
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            # What has no number yet is looked for twice a second; there is hardly ever any.
            models.Index(
                fields=["id"], condition=models.Q(number=None), name="thing_events_to_number"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.thing_id}"


class ThingEventCounter(models.Model):
    """The last number given to an event: one row, locked by whoever gives the next."""

    last = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.last)
