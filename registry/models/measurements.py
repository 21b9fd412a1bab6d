"""Figures with their provenance."""

from __future__ import annotations

from django.db import models

from ontology.facts import Metric, Status
from registry.models.devices import Device
from registry.models.hardware import BoardType, Runtime
from registry.models.networks import Variant


class Measurement(models.Model):
    """(variant, device or board, runtime, precision, metric) -> value, unit, source, status.

    Conflicting figures stand side by side; `ontology.matching` takes the best status.
    """

    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="measurements")
    board = models.ForeignKey(
        BoardType, null=True, blank=True, on_delete=models.CASCADE, related_name="measurements"
    )
    device = models.ForeignKey(
        Device, null=True, blank=True, on_delete=models.CASCADE, related_name="measurements"
    )
    runtime = models.ForeignKey(
        Runtime, null=True, blank=True, on_delete=models.PROTECT, related_name="measurements"
    )
    precision = models.CharField(max_length=20, blank=True)
    metric = models.CharField(max_length=20, choices=[(m.value, m.value) for m in Metric])
    value = models.FloatField()
    unit = models.CharField(max_length=16)
    status = models.CharField(max_length=10, choices=[(s.value, s.value) for s in Status])
    source = models.CharField(max_length=300)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["variant", "metric"]
        # The matching service reads all figures of one variant at once.
        indexes = [models.Index(fields=["variant", "metric"], name="measurement_by_metric")]

    def __str__(self) -> str:
        return f"{self.variant} {self.metric} = {self.value:g} {self.unit}"
