"""A device's own page: what it is, what it runs, what fits it and what it lately said."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display

from ontology.matching import explain
from orchestrator.admin.confirmation import ask_of_membership, row_key
from orchestrator.admin.device_filter import DeviceFilter
from orchestrator.admin.origin import origin_of
from orchestrator.models import ArenaReport, Deployment, DeviceShadow, KeyRequest
from orchestrator.protocol.enrolment import key_fingerprint
from orchestrator.services import enrolment
from registry.admin.columns import DEVICE_COLOURS, link_to
from registry.admin.read_only import ReadOnlyAdmin, ReadOnlyInline
from registry.models import Device, DeviceStatus, Release, Variant
from registry.services import matching
from registry.services.scopes import may_change_device

_ACCEPTED_BY_KEY = "it becomes a member with the key and the secret that it offered."
_ACCEPTED_BY_DESCRIPTION = (
    "it becomes a member; only its description is known, so to connect it needs a token,"
    " or that its key is accepted too, when it shows one."
)


class DeploymentInline(ReadOnlyInline):
    model = Deployment
    fields = ["variant", "status", "result_code", "detail", "changed_at"]
    ordering = ["-created_at"]


class ShadowInline(ReadOnlyInline):
    model = DeviceShadow
    fields = ["online", "boot", "digest", "slot", "sequence", "last_seen_at"]
    verbose_name_plural = "reported state"


class ArenaReportInline(ReadOnlyInline):
    model = ArenaReport
    fields = ["variant", "finding", "need_bytes", "have_bytes", "reported_at", "confirmed_at"]
    verbose_name_plural = "found out about its arena"


@admin.register(Device)
class DeviceAdmin(ReadOnlyAdmin):
    list_display = ["device_id", "board", "status_label", "online", "runs", "seen"]
    list_filter = [DeviceFilter, "status", "profile__board", "fleets", "installed"]
    list_filter += ["shadow__online"]
    search_fields = ["device_id", "iri", "description", "profile__board__name"]
    search_fields += ["registration__thing_id"]
    list_select_related = ["profile__board", "installed__release__model", "shadow"]
    fields = ["device_id", "iri", "thing", "description", "status", "profile", "fleets"]
    fields += ["key", "installed", "origin", "what_fits", "td"]
    # A form would change the line ends of a description.
    readonly_fields = ["thing", "key", "origin", "what_fits", "td"]
    inlines = [ShadowInline, DeploymentInline, ArenaReportInline]
    actions_detail = ["accept", "reject", "revoke"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Device]:
        return super().get_queryset(request).prefetch_related("fleets")

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[UnfoldAction]:
        """Accept and Reject stand there only while the device waits for them."""
        buttons = super().get_actions_detail(request, object_id)
        if Device.objects.filter(pk=object_id, status=DeviceStatus.PENDING).exists():
            return buttons
        return [button for button in buttons if button.path not in {"accept", "reject"}]

    @display(description="Board", ordering="profile__board__name")
    def board(self, device: Device) -> str:
        return device.profile.board.name if device.profile else "–"

    @display(description="Status", ordering="status", label=DEVICE_COLOURS)
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

    @display(description="In the Things directory as")
    def thing(self, device: Device) -> str:
        return link_to(getattr(device, "registration", None))

    @display(description="Key", empty_value="–")
    def key(self, device: Device) -> str:
        """The accepted key's fingerprint, and the one that asks to take its place."""
        known = key_fingerprint(device.public_key) or "none"
        asking = KeyRequest.objects.filter(device=device, rejected_at=None).first()
        if asking is None:
            return known
        return format_html("{} — {}", known, link_to(asking, "a new key waits"))

    @display(description="What fits, and why not")
    def what_fits(self, device: Device) -> str:
        if device.profile is None:
            return "not known: it has not described itself"
        rows = []
        for variant, verdict in matching.judge_variants(device, _newest_variants()):
            held = [explain(reason) for reason in verdict.reasons if reason.holds is not True]
            rows.append((link_to(variant), verdict.answer.value.replace("_", " "), "; ".join(held)))
        return format_html_join("", "<div>{} — <b>{}</b> {}</div>", rows)

    @display(description="Where that comes from")
    def origin(self, device: Device) -> str:
        """From what it runs to all that one needs to make that again."""
        if device.installed is None:
            return "–"
        return format_html_join("", "<div>{}: {}</div>", origin_of(device.installed))

    def has_admit_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may_change_device(request.user, row_key(object_id))

    @action(description="Accept", icon="check", permissions=["admit"])
    def accept(self, request: HttpRequest, object_id: str) -> HttpResponse:
        described = Device.objects.filter(pk=object_id, public_key="").exists()
        effect = _ACCEPTED_BY_DESCRIPTION if described else _ACCEPTED_BY_KEY

        def act(device: Device) -> str:
            enrolment.accept_pending(device, timezone.now())
            return f"{device.device_id} is a member now."

        return ask_of_membership(self, request, object_id, "Accept", effect, act)

    @action(description="Reject", icon="close", permissions=["admit"])
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "it is turned away; a token can still let it in later."

        def act(device: Device) -> str:
            enrolment.reject_pending(device)
            return f"{device.device_id} is turned away."

        return ask_of_membership(self, request, object_id, "Reject", effect, act)

    @action(description="Revoke", icon="block", permissions=["admit"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "it is shut out, and what is on its way to it is cancelled."

        def act(device: Device) -> str:
            enrolment.revoke(device)
            return f"{device.device_id} may not connect any more."

        return ask_of_membership(self, request, object_id, "Revoke", effect, act)


def _newest_variants() -> QuerySet[Variant]:
    """The variants of every model's newest release, reference models left out."""
    newest = Release.objects.filter(model=OuterRef("release__model")).order_by("-number")
    own = matching.candidates().filter(release=Subquery(newest.values("pk")[:1]))
    return own.order_by("release__model__name", "name")
