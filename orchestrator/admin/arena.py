"""What devices found out about the memory of networks, and what is believed of it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action, display

from orchestrator.admin.confirmation import ask_first
from orchestrator.models import ArenaReport
from orchestrator.services import arena_reports
from registry.admin.columns import link_to
from registry.admin.read_only import ReadOnlyAdmin


@admin.register(ArenaReport)
class ArenaReportAdmin(ReadOnlyAdmin):
    list_display = ["device_link", "variant_link", "finding", "need", "have"]
    list_display += ["reported_at", "confirmed_at"]
    list_filter = ["finding", "profile__board", "variant"]
    list_select_related = ["device", "variant__release__model"]
    search_fields = ["device__device_id", "variant__release__model__name"]
    actions_detail = ["confirm"]

    @display(description="Device", ordering="device")
    def device_link(self, row: ArenaReport) -> str:
        return link_to(row.device)

    @display(description="Variant", ordering="variant")
    def variant_link(self, row: ArenaReport) -> str:
        return link_to(row.variant)

    @display(description="Needs", ordering="need_bytes")
    def need(self, row: ArenaReport) -> str:
        return f"{row.need_bytes:,} B"

    @display(description="Has", ordering="have_bytes")
    def have(self, row: ArenaReport) -> str:
        return "–" if row.have_bytes is None else f"{row.have_bytes:,} B"

    def has_believe_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("registry.change_measurement")

    @action(description="Confirm", icon="check", permissions=["believe"])
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """One device's word for all of its board and runtime."""
        effect = "from now on it counts for every device with this board and runtime."

        def act(row: ArenaReport) -> str:
            arena_reports.confirm(row, timezone.now())
            return f"{row.variant} needs {row.need_bytes:,} B on {row.profile.board} now."

        texts = {"button": "Confirm", "effect": effect}
        gone = ArenaReport.DoesNotExist
        return ask_first(self, request, object_id, **texts, act=act, refusal=gone)
