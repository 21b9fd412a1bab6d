"""Rollouts and what came of each device's update: to be seen and steered, not edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin import EmptyFieldListFilter
from django.contrib.auth.models import User
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display

from orchestrator.admin.confirmation import ask_first
from orchestrator.admin.new_rollout import new_rollout, saved_dry_run
from orchestrator.admin.rollout_words import label, order_table, waves_table
from orchestrator.models import Deployment, DeploymentEvent, Rollout
from orchestrator.services import rollouts
from orchestrator.services.approvals import approve
from orchestrator.services.rollouts import possible_orders
from orchestrator.services.steering import steer
from registry.admin.columns import joined, link_to, share_text
from registry.admin.read_only import ReadOnlyAdmin, ReadOnlyInline

ROLLOUT_COLOURS = {
    "draft": "info",
    "scheduled": "info",
    "running": "warning",
    "paused": "warning",
    "completed": "success",
    "stopped": "danger",
    "aborted": "danger",
    "rolled_back": "danger",
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


_HISTORY = ["maker", "created_at", "approved_by", "approved_at", "started_at", "finished_at"]
_HISTORY += ["crowned_at", "previous_champion"]
_PASSING_OVER = (rollouts.retry_failed, rollouts.roll_back)


@admin.register(Rollout)
class RolloutAdmin(ReadOnlyAdmin):
    list_display = ["name", "what", "status_label", "reached", "maker", "created_at"]
    list_filter = ["status", "release__model", ("proposal", EmptyFieldListFilter)]
    search_fields = ["name"]
    list_select_related = ["release__model", "variant__release__model", "created_by"]
    fieldsets = [
        ("Where it stands", {"fields": ["standing", "detail", "waves"]}),
        ("What was ordered", {"fields": ["order"]}),
        ("Who and when", {"fields": _HISTORY}),
    ]
    actions_detail = ["dry_run", "approve", "start", "pause", "resume", "abort", "retry_failed"]
    actions_detail += ["roll_back", "copy"]

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

    @display(description="Status")
    def standing(self, rollout: Rollout) -> str:
        return label(rollout.status, ROLLOUT_COLOURS[rollout.status])

    @display(description="Waves")
    def waves(self, rollout: Rollout) -> str:
        return waves_table(rollout)

    @display(description="Order")
    def order(self, rollout: Rollout) -> str:
        return order_table(rollout)

    @display(description="Ended")
    def reached(self, rollout: Rollout) -> str:
        planned, ended = getattr(rollout, "planned", 0), getattr(rollout, "ended", 0)
        return f"{ended} of {planned}"

    @display(description="Made by", ordering="created_by")
    def maker(self, rollout: Rollout) -> str:
        """Whoever made it, or what proposed it."""
        return str(rollout.created_by or rollout.proposal or "–")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orchestrator.add_rollout")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Made by a form of its own, which shows what it would do before it is saved."""
        return new_rollout(self, request)

    def has_steer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("orchestrator.change_rollout")

    def has_approve_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("orchestrator.approve_rollout")

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[UnfoldAction]:
        """Only what its present status allows: a button that can only be refused is none."""
        rollout = Rollout.objects.filter(pk=object_id).first()
        allowed = possible_orders(rollout) if rollout is not None else frozenset()
        allowed |= {"copy"}
        if rollout is not None and rollout.started_at is None:
            allowed |= {"dry_run"}
        buttons = super().get_actions_detail(request, object_id)
        return [button for button in buttons if button.path.strip("/") in allowed]

    @action(description="Dry run", icon="preview", permissions=["view"])
    def dry_run(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return saved_dry_run(self, request, object_id)

    @action(description="Make another like it", icon="content_copy", permissions=["add"])
    def copy(self, request: HttpRequest, object_id: str) -> HttpResponse:
        form = reverse("admin:orchestrator_rollout_add")
        return HttpResponseRedirect(f"{form}?{urlencode({'like': object_id})}")

    @action(description="Approve", icon="verified_user", permissions=["approve"])
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "it can be started then; who made it cannot approve it."
        user = cast(User, request.user)
        return self._steer(
            request, object_id, "Approve", effect, lambda rollout: approve(rollout, user)
        )

    @action(description="Start", icon="play_arrow", permissions=["steer"])
    def start(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "updates are sent to its devices, wave by wave, from its start on."
        return self._steer(request, object_id, "Start", effect, rollouts.start_rollout)

    @action(description="Pause", icon="pause", permissions=["steer"])
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "nothing more is sent until it is resumed."
        return self._steer(request, object_id, "Pause", effect, rollouts.pause)

    @action(description="Resume", icon="resume", permissions=["steer"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "it goes on where it was paused."
        return self._steer(request, object_id, "Resume", effect, rollouts.resume)

    @action(description="Abort", icon="stop", permissions=["steer"])
    def abort(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "it ends for good, and what is not installed yet is cancelled."
        return self._steer(request, object_id, "Abort", effect, rollouts.abort)

    @action(description="Retry failed", icon="replay", permissions=["steer"])
    def retry_failed(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "what did not come through is sent once more."
        return self._steer(request, object_id, "Retry failed", effect, rollouts.retry_failed)

    @action(description="Roll back", icon="undo", permissions=["steer"])
    def roll_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "its devices go back to what each ran before, and its release is champion no more."
        return self._steer(request, object_id, "Roll back", effect, rollouts.roll_back)

    def _steer(
        self,
        request: HttpRequest,
        object_id: str,
        button: str,
        effect: str,
        order: Callable[[Rollout], Rollout],
    ) -> HttpResponse:
        def act(rollout: Rollout) -> str:
            steer(order, rollout, cast(User, request.user))
            rollout.refresh_from_db()
            if order in _PASSING_OVER:
                for left in rollouts.left_alone(rollout):
                    messages.warning(request, str(left))
            return f"{rollout.name} is {rollout.status}."

        texts = {"button": button, "effect": effect}
        return ask_first(self, request, object_id, **texts, act=act, refusal=rollouts.RolloutError)


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
