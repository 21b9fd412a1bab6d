"""Ordering a compression, and deciding on those that new devices suggest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from orchestrator.admin.confirmation import ask_first
from orchestrator.admin.form_fields import count, line, number
from orchestrator.compression.search.catalogue import TASKS
from orchestrator.models import CompressionOffer, CompressionTrial, Job
from orchestrator.services import compression_offers
from orchestrator.services.compression_budgets import EVERYBODY
from orchestrator.services.compression_orders import (
    RUNTIMES,
    Order,
    OrderError,
    OutOfScope,
    order_compression,
)
from registry.admin.columns import bytes_text, joined, link_to
from registry.admin.read_only import ReadOnlyAdmin, ReadOnlyInline
from registry.footprint.kernels.table import KERNEL_SETS
from registry.models import BoardType, Fleet, RegisteredModel

_ORDER_PAGE = "orchestrator/compress.html"


def _select(label: str, help_text: str, empty: str, values: Iterable[str]) -> forms.ChoiceField:
    """One of these, as they are when the page is shown, or what is meant by nothing chosen."""

    def choices() -> list[tuple[str, str]]:
        return [("", empty), *((each, each) for each in values)]

    widget = UnfoldAdminSelectWidget()
    return forms.ChoiceField(
        label=label, help_text=help_text, choices=choices, required=False, widget=widget
    )


class OrderForm(forms.Form):
    """One of a fleet, a board, RAM and flash; what is left empty is the installation's default."""

    model = forms.CharField(
        max_length=120, widget=line(list="models"), help_text="It gets a new release"
    )
    task = _select("Task", "How it is trained", "As it was trained", TASKS)
    fleet = forms.CharField(
        required=False, widget=line(list="fleets"), help_text="Its slug; all: every device"
    )
    board = forms.CharField(
        required=False, widget=line(list="boards"), help_text="A bare board of the catalogue"
    )
    ram_bytes = count("RAM, bytes", "With flash, of no board in particular", required=False)
    flash_bytes = count("Flash, bytes", "For the file", required=False)
    kernels = _select("Kernels", "Of a board, or beside RAM and flash", "cmsis_nn", KERNEL_SETS)
    runtime = _select("Runtime", "Beside RAM and flash", RUNTIMES[0], RUNTIMES[1:])
    max_latency_ms = number("Latency at most", "Milliseconds", required=False)
    min_accuracy = number(
        "Accuracy at least",
        "A fraction; where its task is judged by R2 or AUC, the least of that",
        required=False,
    )
    seed = count("Seed", "Another one makes another search", required=False)
    trials = count("Trials", "At most so many", required=False)
    seconds = number("Seconds", "At most so many, of work", required=False)

    def job(self, request: HttpRequest) -> Job | None:
        """The ordered job; None, with the reason at the field, where the order cannot be."""
        given = {
            name: value for name, value in self.cleaned_data.items() if value not in (None, "")
        }
        try:
            return order_compression(Order(**given), request.user)
        except OrderError as error:
            self.add_error(error.field if error.field in self.fields else None, error.sentence)
        except OutOfScope as error:
            self.add_error("fleet", str(error))
        return None


def order_page(pages: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """A page with the form; what is wrong in it stands beside the field."""
    form = OrderForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        job = form.job(request)
        if job is not None:
            messages.success(request, f"Job {job.pk} waits for a worker.")
            return HttpResponseRedirect(reverse("admin:orchestrator_job_change", args=[job.pk]))
    if form.errors:
        problems = "; ".join(str(error) for errors in form.errors.values() for error in errors)
        request.audit_refusal = problems  # type: ignore[attr-defined]  # for the audit trail
    back = reverse("admin:orchestrator_job_changelist")
    said = {"title": "Compress a model", "form": form, "back": back, "opts": pages.opts}
    page = {**pages.admin_site.each_context(request), **said, **_known()}
    return TemplateResponse(request, _ORDER_PAGE, page)


def _known() -> dict[str, Any]:
    """What the fields offer while one types."""
    own = RegisteredModel.objects.filter(reference=False)
    return {
        "models": sorted({*own.values_list("name", flat=True), *TASKS}),
        "fleets": [EVERYBODY, *Fleet.objects.values_list("slug", flat=True)],
        "boards": BoardType.objects.values_list("slug", flat=True),
    }


class TrialInline(ReadOnlyInline):
    model = CompressionTrial
    fields = ["number", "state", "scored", "flash", "arena", "technique", "chosen", "took"]
    verbose_name_plural = "trials"

    @display(description="Score")
    def scored(self, trial: CompressionTrial) -> str:
        return "–" if trial.score is None else f"{trial.score:.4f}"

    @display(description="Flash")
    def flash(self, trial: CompressionTrial) -> str:
        return bytes_text(trial.footprint["flash_bytes"])

    @display(description="Arena at most")
    def arena(self, trial: CompressionTrial) -> str:
        return bytes_text(max(trial.footprint["arena_bytes"].values(), default=None))

    @display(description="Seconds")
    def took(self, trial: CompressionTrial) -> str:
        return f"{trial.seconds:.1f}"

    @display(description="Choice")
    def chosen(self, trial: CompressionTrial) -> str:
        return joined(f"{name} {value}" for name, value in trial.choice.items())


@admin.register(CompressionOffer)
class CompressionOfferAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "boards", "status_label", "made_at", "job_link"]
    list_filter = ["status", "model"]
    list_select_related = ["model", "fleet", "job"]
    fields = ["model", "fleet", "boards", "status", "job", "made_at", "decided_at", "decided_by"]
    readonly_fields = ["boards"]
    actions_detail = ["accept", "dismiss"]

    @display(description="New boards")
    def boards(self, offer: CompressionOffer) -> str:
        return joined(sorted({str(profile.board) for profile in offer.profiles.all()}))

    @display(
        description="Status",
        ordering="status",
        label={"open": "warning", "accepted": "success", "dismissed": "info"},
    )
    def status_label(self, offer: CompressionOffer) -> str:
        return offer.status

    @display(description="Job")
    def job_link(self, offer: CompressionOffer) -> str:
        return link_to(offer.job)

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("orchestrator.change_compressionoffer")

    @action(description="Accept", icon="check", permissions=["decide"])
    def accept(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "a worker searches for variants; nothing is sent to any device."

        def act(offer: CompressionOffer) -> str:
            try:
                job = compression_offers.accept(offer, request.user, timezone.now())
            except (OrderError, OutOfScope) as error:
                raise compression_offers.OfferRefusal(str(error)) from error
            return f"Job {job.pk} waits for a worker."

        return self._ask(request, object_id, "Accept", effect, act)

    @action(description="Dismiss", icon="close", permissions=["decide"])
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "these kinds of device are not offered again for this model."

        def act(offer: CompressionOffer) -> str:
            compression_offers.dismiss(offer, request.user, timezone.now())
            return "It is dismissed."

        return self._ask(request, object_id, "Dismiss", effect, act)

    def _ask(
        self, request: HttpRequest, object_id: str, button: str, effect: str, act: Any
    ) -> HttpResponse:
        texts = {"button": button, "effect": effect}
        refusal = compression_offers.OfferRefusal
        return ask_first(self, request, object_id, **texts, act=act, refusal=refusal)
