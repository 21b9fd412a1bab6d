"""What devices say of themselves."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from registry.models import Device, Variant


class DeviceShadow(models.Model):
    """The newest reported state of a device, and how far its telemetry has been kept."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="shadow")
    online = models.BooleanField(default=False)
    boot = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 that it runs")
    slot = models.PositiveSmallIntegerField(null=True, blank=True)
    sequence = models.PositiveBigIntegerField(default=0, help_text="Of its last accepted manifest")
    acked_boot = models.PositiveBigIntegerField(default=0)
    acked_sequence = models.PositiveBigIntegerField(default=0)
    last_seen_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"shadow of {self.device}"


class Telemetry(models.Model):
    """One kept SenML pack, its known measurements as columns."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="telemetry")
    variant = models.ForeignKey(
        Variant, null=True, blank=True, on_delete=models.SET_NULL, related_name="telemetry"
    )
    boot = models.PositiveBigIntegerField()
    sequence = models.PositiveBigIntegerField()
    at = models.DateTimeField(help_text="The device's time, or receipt where it has no clock")
    received_at = models.DateTimeField(default=timezone.now)
    samples = models.PositiveIntegerField(default=0)
    labelled = models.PositiveIntegerField(default=0)
    accuracy = models.FloatField(null=True, blank=True)
    latency_ms = models.FloatField(null=True, blank=True)
    arena_used_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    free_heap_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    adapted_samples = models.PositiveBigIntegerField(null=True, blank=True)
    records = models.JSONField(default=list, help_text="The resolved SenML records as they came")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "telemetry"
        constraints = [
            # A replayed pack is the same row: at least once becomes exactly once here.
            models.UniqueConstraint(fields=["device", "boot", "sequence"], name="one_pack"),
        ]
        indexes = [models.Index(fields=["variant", "id"], name="telemetry_by_variant")]

    def __str__(self) -> str:
        return f"{self.device} {self.boot}/{self.sequence}"


class DroppedMessage(models.Model):
    """A count of what was refused at the edge, and the newest example's reason."""

    reason = models.CharField(max_length=40, help_text="malformed, oversized, unknown_topic ...")
    topic = models.CharField(max_length=120, help_text="The topic's kind, not the topic")
    count = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField()
    last_detail = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["reason", "topic"]
        constraints = [
            models.UniqueConstraint(fields=["reason", "topic"], name="one_drop_counter"),
        ]

    def __str__(self) -> str:
        return f"{self.reason} {self.topic}: {self.count}"
