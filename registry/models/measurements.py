"""Figures with their provenance, and what sources say beside them."""

from __future__ import annotations

from django.db import models

from ontology.facts import Metric, Status
from registry.models.devices import Device
from registry.models.hardware import BoardType, Runtime
from registry.models.networks import Variant


class Measurement(models.Model):
    """(variant, device or board, runtime, precision, metric) -> value, unit, source, status.

    Conflicting figures stand side by side; `ontology.matching` takes the best status. Where they
    are of one variant and target, the conflict is worked out; `disputes` names the others.
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
    error = models.FloatField(
        null=True, blank=True, help_text="Relative, 0.25 for a quarter; empty where nobody says it"
    )
    status = models.CharField(max_length=10, choices=[(s.value, s.value) for s in Status])
    source = models.CharField(max_length=300)
    dataset = models.CharField(
        max_length=80, blank=True, help_text="What an accuracy was reached on"
    )
    conditions = models.CharField(
        max_length=300, blank=True, help_text="What else it holds under, e.g. a clock"
    )
    note = models.CharField(max_length=300, blank=True, help_text="What its source adds")
    disputes = models.ManyToManyField(
        "self", blank=True, help_text="Figures that it is said to contradict"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["variant", "metric", "id"]  # figures of one metric are numbered by it
        # The matching service reads all figures of one variant at once.
        indexes = [models.Index(fields=["variant", "metric"], name="measurement_by_metric")]

    def __str__(self) -> str:
        return f"{self.variant} {self.metric} = {self.value:g} {self.unit}"


class Remark(models.Model):
    """What a source says of a variant on a target in place of a figure, e.g. out of memory."""

    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="remarks")
    board = models.ForeignKey(
        BoardType, null=True, blank=True, on_delete=models.CASCADE, related_name="remarks"
    )
    runtime = models.ForeignKey(
        Runtime, null=True, blank=True, on_delete=models.PROTECT, related_name="remarks"
    )
    text = models.CharField(max_length=300)
    source = models.CharField(max_length=300)

    class Meta:
        ordering = ["variant", "id"]

    def __str__(self) -> str:
        return f"{self.variant}: {self.text}"
