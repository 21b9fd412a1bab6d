"""What devices say, and what was refused at the edge."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from orchestrator.models import DroppedMessage, Telemetry
from registry.admin.columns import bytes_text, link_to, share_text
from registry.admin.read_only import ReadOnlyAdmin


@admin.register(Telemetry)
class TelemetryAdmin(ReadOnlyAdmin):
    list_display = ["device_link", "at", "variant", "accurate", "latency", "arena", "labelled"]
    list_filter = ["variant", "device"]
    list_select_related = ["device", "variant__release__model"]
    show_full_result_count = False

    @display(description="Device", ordering="device")
    def device_link(self, row: Telemetry) -> str:
        return link_to(row.device)

    @display(description="Accuracy", ordering="accuracy")
    def accurate(self, row: Telemetry) -> str:
        return share_text(row.accuracy)

    @display(description="Latency", ordering="latency_ms")
    def latency(self, row: Telemetry) -> str:
        return "–" if row.latency_ms is None else f"{row.latency_ms:.3g} ms"

    @display(description="Arena", ordering="arena_used_bytes")
    def arena(self, row: Telemetry) -> str:
        return bytes_text(row.arena_used_bytes)


@admin.register(DroppedMessage)
class DroppedMessageAdmin(ReadOnlyAdmin):
    list_display = ["reason", "topic", "count", "last_at", "last_detail"]
    list_filter = ["reason"]
