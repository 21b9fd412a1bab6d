"""What the worker does."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from orchestrator.models import Job
from registry.admin.columns import share_text
from registry.admin.read_only import ReadOnlyAdmin


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "status_label", "done", "message", "attempts", "created_at"]
    list_filter = ["status", "kind"]

    @display(
        description="Status",
        ordering="status",
        label={
            "queued": "info",
            "running": "warning",
            "succeeded": "success",
            "failed": "danger",
        },
    )
    def status_label(self, job: Job) -> str:
        return job.status

    @display(description="Done", ordering="progress")
    def done(self, job: Job) -> str:
        return share_text(job.progress)
