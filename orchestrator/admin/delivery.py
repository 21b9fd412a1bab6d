"""Rollouts and what came of each device's update: to be seen and steered, not edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.admin import TabularInline
from unfold.decorators import action, display

from orchestrator.models import Deployment, DeploymentEvent, Rollout, Wave
from orchestrator.services import rollouts
from registry.admin.columns import joined, link_to, share_text
from registry.admin.read_only import ReadOnlyAdmin

ROLLOUT_COLOURS = {
    "draft": "info",
    "scheduled": "info",
    "running": "warning",
    "paused": "warning",
    "completed": "success",
    "stopped": "danger",
    "aborted": "danger",
}
DEPLOYMENT_COLOURS = {
    "confirmed": "success",
    "already_installed": "success",
    "failed": "danger",
    "rejected": "danger",
    "rolled_back": "danger",
    "not_applicable": "warning",
    "cancelled": "info",
    "superseded": "info",
    "expired": "info",
}


class ReadOnlyInline(TabularInline):
    extra = 0
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return list(self.fields or [])

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class WaveInline(ReadOnlyInline):
    model = Wave
    fields = ["number", "status", "started_at", "finished_at"]


@admin.register(Rollout)
class RolloutAdmin(ReadOnlyAdmin):
    list_display = ["name", "what", "status_label", "reached", "created_by", "created_at"]
    list_filter = ["status", "release__model"]
    search_fields = ["name"]
    list_select_related = ["release__model", "variant__release__model", "created_by"]
    inlines = [WaveInline]
    actions_detail = ["start", "pause", "resume", "abort", "retry_failed"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rollout]:
        ended = Q(waves__deployments__is_open=False)
        rows = super().get_queryset(request)
        return rows.annotate(
            planned=Count("waves__deployments"), ended=Count("waves__deployments", filter=ended)
        )

    @display(description="Release or variant")
    def what(self, rollout: Rollout) -> str:
        return link_to(rollout.release or rollout.variant)

    @display(description="Status", ordering="status", label=ROLLOUT_COLOURS)
    def status_label(self, rollout: Rollout) -> str:
        return rollout.status

    @display(description="Ended")
    def reached(self, rollout: Rollout) -> str:
        planned, ended = getattr(rollout, "planned", 0), getattr(rollout, "ended", 0)
        return f"{ended} of {planned}"

    def has_steer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("orchestrator.change_rollout")

    @action(description="Start", icon="play_arrow", permissions=["steer"])
    def start(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        return _steer(request, object_id, rollouts.start_rollout)

    @action(description="Pause", icon="pause", permissions=["steer"])
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        return _steer(request, object_id, rollouts.pause)

    @action(description="Resume", icon="resume", permissions=["steer"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        return _steer(request, object_id, rollouts.resume)

    @action(description="Abort", icon="stop", permissions=["steer"])
    def abort(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        return _steer(request, object_id, rollouts.abort)

    @action(description="Retry failed", icon="replay", permissions=["steer"])
    def retry_failed(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        return _steer(request, object_id, rollouts.retry_failed)


def _steer(
    request: HttpRequest, object_id: str, order: Callable[[Rollout], Any]
) -> HttpResponseRedirect:
    rollout = get_object_or_404(Rollout, pk=object_id)
    try:
        order(rollout)
    except rollouts.RolloutError as error:
        messages.error(request, str(error))
    else:
        rollout.refresh_from_db()
        messages.success(request, f"{rollout.name} is {rollout.status}.")
    return HttpResponseRedirect(reverse("admin:orchestrator_rollout_change", args=[object_id]))


class EventInline(ReadOnlyInline):
    model = DeploymentEvent
    fields = ["at", "status", "code", "detail"]


@admin.register(Deployment)
class DeploymentAdmin(ReadOnlyAdmin):
    list_display = ["device_link", "variant", "status_label", "done", "why", "changed_at"]
    list_filter = ["status", "wave__rollout", "variant"]
    search_fields = ["device__device_id", "id"]
    list_select_related = ["device", "variant__release__model"]
    exclude = ["manifest"]
    inlines = [EventInline]

    @display(description="Device", ordering="device")
    def device_link(self, deployment: Deployment) -> str:
        return link_to(deployment.device)

    @display(description="Status", ordering="status", label=DEPLOYMENT_COLOURS)
    def status_label(self, deployment: Deployment) -> str:
        return deployment.status

    @display(description="Progress", ordering="progress")
    def done(self, deployment: Deployment) -> str:
        return share_text(deployment.progress)

    @display(description="Why")
    def why(self, deployment: Deployment) -> str:
        failed = [reason["constraint"] for reason in deployment.reasons if not reason["holds"]]
        return deployment.detail or deployment.result_code or (joined(failed) if failed else "–")
