"""What the worker does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from orchestrator.admin.compression import TrialInline, order_page
from orchestrator.admin.confirmation import ask_first
from orchestrator.admin.pareto_plot import pareto_plot
from orchestrator.models import Job
from orchestrator.policy.budgets import Standing
from orchestrator.policy.measures import WORDS
from orchestrator.services import jobs
from orchestrator.services.compression_orders import COMPRESS
from orchestrator.services.compression_outcomes import Outcome, outcome_of
from registry.admin.columns import link_to, share_text
from registry.admin.read_only import ReadOnlyAdmin
from registry.models import Release


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "status_label", "done", "message", "attempts", "created_at"]
    list_filter = ["status", "kind"]
    fields = ["kind", "status", "done", "message", "error", "release", "reach", "plot", "said"]
    fields += ["payload", "attempts", "owner", "lease_until", "ready_at"]
    fields += ["created_at", "finished_at"]
    readonly_fields = ["done", "release", "reach", "plot", "said"]
    actions_list = ["compress"]
    actions_detail = ["cancel", "retry"]

    def get_inlines(self, request: HttpRequest, obj: Job | None) -> list[Any]:
        """Only a search has trials."""
        return [TrialInline] if obj is not None and obj.kind == COMPRESS else []

    @display(
        description="Status",
        ordering="status",
        label={
            "queued": "info",
            "running": "warning",
            "succeeded": "success",
            "failed": "danger",
            "cancelled": "info",
        },
    )
    def status_label(self, job: Job) -> str:
        return job.status

    @display(description="Done", ordering="progress")
    def done(self, job: Job) -> str:
        return share_text(job.progress)

    @display(description="Release", empty_value="–")
    def release(self, job: Job) -> str:
        return link_to(Release.objects.filter(pk=job.payload.get("release", 0)).first())

    @display(description="Who is served", empty_value="–")
    def reach(self, job: Job) -> str | None:
        """Each budget with its variant and its score, or with what is missing."""
        found = _outcome(job)
        if found is None:
            return None
        rows = [
            (each.budget.name, each.reach.value.replace("_", " "), each.candidate, _why(each))
            for each in found.standings
        ]
        rows += [("standings", "not known", found.problem, "")] if found.problem else []
        return format_html_join("", "<div>{}: <b>{}</b> {} {}</div>", rows)

    @display(description="Score against cost", empty_value="–")
    def plot(self, job: Job) -> SafeString | None:
        """Every trained candidate; those that are released are filled."""
        found = _outcome(job)
        if found is None:
            return None
        measure = "Score" if found.measure is None else WORDS[found.measure]
        released = {f"t{number:03d}" for number in found.released}
        return pareto_plot(found.points, released, measure) or None

    @display(description="Log", empty_value="–")
    def said(self, job: Job) -> str | None:
        return format_html("<pre>{}</pre>", job.log) if job.log else None

    def has_order_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("orchestrator.add_job")

    def has_steer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("orchestrator.change_job")

    @action(description="Compress a model", icon="compress", permissions=["order"])
    def compress(self, request: HttpRequest) -> HttpResponse:
        return order_page(self, request)

    @action(description="Cancel", icon="stop", permissions=["steer"])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "it ends at its next step; what it has finished is kept."
        return self._steer(request, object_id, "Cancel", effect, jobs.cancel)

    @action(description="Retry", icon="replay", permissions=["steer"])
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "it goes on from what it has finished."
        return self._steer(request, object_id, "Retry", effect, jobs.retry)

    def _steer(
        self,
        request: HttpRequest,
        object_id: str,
        button: str,
        effect: str,
        order: Callable[[Job], Job],
    ) -> HttpResponse:
        def act(job: Job) -> str:
            return f"Job {job.pk} is {order(job).status}."

        texts = {"button": button, "effect": effect}
        return ask_first(self, request, object_id, **texts, act=act, refusal=jobs.JobRefusal)


def _outcome(job: Job) -> Outcome | None:
    return outcome_of(job) if job.kind == COMPRESS else None


def _why(each: Standing) -> str:
    if each.score is not None:
        return f"{WORDS[each.budget.limits.measure]} {each.score:.4f}"
    return "; ".join(gap.sentence for gap in each.gaps)
