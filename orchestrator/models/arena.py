"""What devices found out about memory."""

from __future__ import annotations

from django.db import models

from registry.models import CapabilityProfile, Device, Variant


class ArenaFinding(models.TextChoices):
    """How a device came to its word."""

    REFUSED = "refused", "refused it"
    IN_USE = "in_use", "runs it"


class ArenaReport(models.Model):
    """A device's own word on what a variant takes of its arena, in bytes.

    It *refused* the variant because that needs more than it has, or it runs it and its telemetry
    says how much is *in use*, the most of several words. It holds for the device as it was then: a
    device of another profile (new firmware, say) is judged anew.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="arena_reports")
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="arena_reports")
    profile = models.ForeignKey(
        CapabilityProfile, on_delete=models.CASCADE, related_name="arena_reports"
    )
    finding = models.CharField(
        max_length=8, choices=ArenaFinding.choices, default=ArenaFinding.REFUSED
    )
    need_bytes = models.PositiveBigIntegerField()
    have_bytes = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Its whole arena; empty where its firmware does not say"
    )
    reported_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(
        null=True, blank=True, help_text="When an operator took it for true of all such devices"
    )

    class Meta:
        ordering = ["-reported_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["device", "variant"], name="one_arena_report_of_a_device"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.device}: {self.variant} needs {self.need_bytes} B"
