"""Drift and what devices learnt from it."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from orchestrator.models import DriftAlert, LearningTask
from registry.admin.columns import bytes_text, link_to, share_text
from registry.admin.read_only import ReadOnlyAdmin


@admin.register(DriftAlert)
class DriftAlertAdmin(ReadOnlyAdmin):
    list_display = ["device_link", "variant", "detector", "before", "after", "detected_at"]
    list_filter = ["detector", "variant"]
    list_select_related = ["device", "variant__release__model"]

    @display(description="Device", ordering="device")
    def device_link(self, alert: DriftAlert) -> str:
        return link_to(alert.device)

    @display(description="Accuracy before", ordering="accuracy_before")
    def before(self, alert: DriftAlert) -> str:
        return share_text(alert.accuracy_before)

    @display(description="and after", ordering="accuracy_after")
    def after(self, alert: DriftAlert) -> str:
        return share_text(alert.accuracy_after)


@admin.register(LearningTask)
class LearningTaskAdmin(ReadOnlyAdmin):
    list_display = ["device_link", "variant", "method", "status_label", "samples", "gain", "memory"]
    list_filter = ["status", "method", "variant"]
    list_select_related = ["device", "variant__release__model"]
    exclude = ["envelope", "weights"]

    @display(description="Device", ordering="device")
    def device_link(self, task: LearningTask) -> str:
        return link_to(task.device)

    @display(
        description="Status",
        ordering="status",
        label={"finished": "success", "refused": "warning", "failed": "danger", "running": "info"},
    )
    def status_label(self, task: LearningTask) -> str:
        return task.status

    @display(description="Accuracy")
    def gain(self, task: LearningTask) -> str:
        return f"{share_text(task.accuracy_before)} → {share_text(task.accuracy_after)}"

    @display(description="Training memory", ordering="training_bytes")
    def memory(self, task: LearningTask) -> str:
        return bytes_text(task.training_bytes)
