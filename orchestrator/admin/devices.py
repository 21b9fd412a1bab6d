"""A device's own page: what it is, what it runs, what fits it and what it lately said."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html_join
from unfold.decorators import action, display

from ontology.matching import explain
from orchestrator.admin.delivery import ReadOnlyInline
from orchestrator.models import Deployment, DeviceShadow
from orchestrator.services import enrolment
from registry.admin.columns import link_to
from registry.admin.read_only import ReadOnlyAdmin
from registry.models import Device, RegisteredModel
from registry.services import matching


class DeploymentInline(ReadOnlyInline):
    model = Deployment
    fields = ["variant", "status", "result_code", "detail", "changed_at"]
    ordering = ["-created_at"]


class ShadowInline(ReadOnlyInline):
    model = DeviceShadow
    fields = ["online", "boot", "digest", "slot", "sequence", "last_seen_at"]
    verbose_name_plural = "reported state"


@admin.register(Device)
class DeviceAdmin(ReadOnlyAdmin):
    list_display = ["device_id", "board", "status_label", "online", "runs", "seen"]
    list_filter = ["status", "profile__board", "fleets", "installed", "shadow__online"]
    search_fields = ["device_id", "profile__board__name"]
    list_select_related = ["profile__board", "installed__release__model", "shadow"]
    fields = ["device_id", "status", "profile", "fleets", "installed", "what_fits", "td"]
    readonly_fields = ["what_fits"]
    inlines = [ShadowInline, DeploymentInline]
    actions_detail = ["revoke"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Device]:
        return super().get_queryset(request).prefetch_related("fleets")

    @display(description="Board", ordering="profile__board__name")
    def board(self, device: Device) -> str:
        return device.profile.board.name if device.profile else "–"

    @display(
        description="Status",
        ordering="status",
        label={
            "accepted": "success",
            "pending": "warning",
            "rejected": "danger",
            "revoked": "danger",
        },
    )
    def status_label(self, device: Device) -> str:
        return device.status

    @display(description="Online", boolean=True, ordering="shadow__online")
    def online(self, device: Device) -> bool:
        shadow = getattr(device, "shadow", None)
        return bool(shadow and shadow.online)

    @display(description="Runs", ordering="installed")
    def runs(self, device: Device) -> str:
        return link_to(device.installed) if device.installed else "–"

    @display(description="Last seen", ordering="shadow__last_seen_at")
    def seen(self, device: Device) -> Any:
        shadow = getattr(device, "shadow", None)
        return shadow.last_seen_at if shadow else None

    @display(description="What fits, and why not")
    def what_fits(self, device: Device) -> str:
        if device.profile is None:
            return "not known: it has not described itself"
        rows = []
        for variant in _newest_variants():
            verdict = matching.assess_pair(device, variant)
            held = [explain(reason) for reason in verdict.reasons if reason.holds is not True]
            rows.append((link_to(variant), verdict.answer.value.replace("_", " "), "; ".join(held)))
        return format_html_join("", "<div>{} — <b>{}</b> {}</div>", rows)

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("registry.change_device")

    @action(description="Revoke", icon="block", permissions=["revoke"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        device = get_object_or_404(Device, pk=object_id)
        enrolment.revoke(device)
        messages.success(request, f"{device.device_id} may not connect any more.")
        return HttpResponseRedirect(reverse("admin:registry_device_change", args=[object_id]))


def _newest_variants() -> list[Any]:
    """The variants of every model's newest release."""
    newest = [model.releases.first() for model in RegisteredModel.objects.all()]
    return [
        variant
        for release in newest
        if release is not None
        for variant in release.variants.select_related("release__model", "artifact")
    ]
