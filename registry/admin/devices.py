"""Profiles and fleets. The device's own page joins operations and lives in orchestrator."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from registry.admin.columns import bytes_text, joined, link_to
from registry.admin.read_only import ReadOnlyAdmin
from registry.models import CapabilityProfile, Fleet


@admin.register(CapabilityProfile)
class CapabilityProfileAdmin(ReadOnlyAdmin):
    list_display = ["label", "board_link", "arena", "slot", "sensor_kinds", "device_count"]
    list_filter = ["board"]
    search_fields = ["digest", "board__name"]
    list_select_related = ["board", "firmware__runtime", "firmware__board"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CapabilityProfile]:
        return super().get_queryset(request).annotate(count=Count("devices"))

    @display(description="Profile")
    def label(self, profile: CapabilityProfile) -> str:
        return profile.digest[:12]

    @display(description="Board", ordering="board")
    def board_link(self, profile: CapabilityProfile) -> str:
        return link_to(profile.board)

    @display(description="Arena budget")
    def arena(self, profile: CapabilityProfile) -> str:
        return bytes_text(profile.firmware.arena_budget_bytes if profile.firmware else None)

    @display(description="Model slot")
    def slot(self, profile: CapabilityProfile) -> str:
        return bytes_text(profile.firmware.slot_bytes if profile.firmware else None)

    @display(description="Sensors")
    def sensor_kinds(self, profile: CapabilityProfile) -> str:
        if profile.sensors is None:
            return "not known"
        return joined(sensor["kind"] for sensor in profile.sensors)

    @display(description="Devices", ordering="count")
    def device_count(self, profile: CapabilityProfile) -> int:
        return int(getattr(profile, "count", 0))


@admin.register(Fleet)
class FleetAdmin(ModelAdmin):
    list_display = ["name", "slug", "device_count"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Fleet]:
        return super().get_queryset(request).annotate(count=Count("devices"))

    @display(description="Devices", ordering="count")
    def device_count(self, fleet: Fleet) -> int:
        return int(getattr(fleet, "count", 0))
