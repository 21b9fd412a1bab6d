"""Drift that was seen, and the learning that answers it."""

from __future__ import annotations

import uuid

from django.db import models

from registry.models import Device, Variant


class DriftAlert(models.Model):
    """A detector's word that a device's stream has changed."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="drift_alerts")
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="drift_alerts")
    detector = models.CharField(max_length=40)
    detected_at = models.DateTimeField()
    first_telemetry = models.PositiveBigIntegerField(help_text="Row id after which it looked")
    last_telemetry = models.PositiveBigIntegerField(help_text="Row id at which it was raised")
    accuracy_before = models.FloatField(null=True)
    accuracy_after = models.FloatField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.device} at {self.detected_at:%F %T}"


class LearningStatus(models.TextChoices):
    """Where one device's learning stands."""

    PENDING = "pending"
    SENT = "sent"
    RUNNING = "running"
    FINISHED = "finished"
    REFUSED = "refused"
    FAILED = "failed"


class LearningTask(models.Model):
    """One device's order to learn, signed, and what it answered."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="learning_tasks")
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="learning_tasks")
    alert = models.ForeignKey(
        DriftAlert, null=True, blank=True, on_delete=models.SET_NULL, related_name="tasks"
    )
    round = models.PositiveIntegerField(
        default=1, help_text="Tasks of one variant that are aggregated together"
    )
    method = models.CharField(max_length=40, default="tinyol")
    parameters = models.JSONField(default=dict, help_text="learning_rate, samples ...")
    status = models.CharField(
        max_length=10, choices=LearningStatus.choices, default=LearningStatus.PENDING
    )
    envelope = models.BinaryField(null=True, help_text="The signed task as published")
    detail = models.TextField(blank=True)
    samples = models.PositiveIntegerField(null=True, blank=True)
    accuracy_before = models.FloatField(null=True, blank=True)
    accuracy_after = models.FloatField(null=True, blank=True)
    training_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    weights = models.BinaryField(null=True, help_text="The adapted last layer, float32, C order")
    weights_shape = models.JSONField(null=True, blank=True)
    mlflow_run_id = models.CharField("MLflow run", max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

        indexes = [models.Index(fields=["variant", "round"], name="task_by_round")]

    def __str__(self) -> str:
        return f"{self.method} on {self.device}"
