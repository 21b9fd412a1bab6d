"""Boards, to be edited; runtimes and firmware builds, which devices' capacity hangs on, to be seen.

Runtimes come from the catalogue and from what devices declare, builds from devices alone.
"""

from __future__ import annotations

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminURLInputWidget

from registry.admin.columns import bytes_text, link_to, megahertz_text
from registry.admin.read_only import ReadOnlyAdmin
from registry.models import BoardType, FirmwareBuild, OnboardSensor, Runtime
from registry.projection.facts import operators_of


class OnboardSensorInline(TabularInline):
    model = OnboardSensor
    extra = 0


@admin.register(BoardType)
class BoardTypeAdmin(ModelAdmin):
    list_display = ["name", "vendor", "mcu", "core", "clock", "ram", "flash"]
    list_filter = ["vendor", "core"]
    search_fields = ["name", "slug", "vendor", "mcu"]
    inlines = [OnboardSensorInline]
    formfield_overrides = {
        models.URLField: {"assume_scheme": "https", "widget": UnfoldAdminURLInputWidget}
    }

    def get_readonly_fields(self, request: HttpRequest, obj: BoardType | None = None) -> list[str]:
        """Devices name their board by its slug, so it stays."""
        return ["slug"] if obj else []

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: BoardType | None = None
    ) -> dict[str, list[str]]:
        return {} if obj else {"slug": ["name"]}

    @display(description="Clock", ordering="clock_hz")
    def clock(self, board: BoardType) -> str:
        return megahertz_text(board.clock_hz)

    @display(description="RAM", ordering="ram_bytes")
    def ram(self, board: BoardType) -> str:
        return bytes_text(board.ram_bytes)

    @display(description="Flash", ordering="flash_bytes")
    def flash(self, board: BoardType) -> str:
        return bytes_text(board.flash_bytes)


@admin.register(Runtime)
class RuntimeAdmin(ReadOnlyAdmin):
    list_display = ["name", "version", "kernels", "operator_count", "source"]
    list_filter = ["name", "kernels"]
    search_fields = ["name", "version"]

    @display(description="Operators")
    def operator_count(self, runtime: Runtime) -> int:
        return len(runtime.operators)


@admin.register(FirmwareBuild)
class FirmwareBuildAdmin(ReadOnlyAdmin):
    list_display = ["label", "board_link", "runtime", "arena", "slot", "operator_count"]
    list_filter = ["runtime", "board"]
    search_fields = ["name", "version", "board__name"]
    list_select_related = ["board", "runtime"]
    readonly_fields = ["capacity_digest"]

    @display(description="Build")
    def label(self, build: FirmwareBuild) -> str:
        return f"{build.name} {build.version}"

    @display(description="Board", ordering="board")
    def board_link(self, build: FirmwareBuild) -> str:
        return link_to(build.board)

    @display(description="Arena budget", ordering="arena_budget_bytes")
    def arena(self, build: FirmwareBuild) -> str:
        return bytes_text(build.arena_budget_bytes)

    @display(description="Model slot", ordering="slot_bytes")
    def slot(self, build: FirmwareBuild) -> str:
        return bytes_text(build.slot_bytes)

    @display(description="Operators")
    def operator_count(self, build: FirmwareBuild) -> str:
        linked = operators_of(build)
        return "not known" if linked is None else str(len(linked))
