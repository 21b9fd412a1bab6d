"""Figures with their provenance, and what waits for the graph."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin
from unfold.decorators import display

from registry.admin.columns import link_to
from registry.admin.read_only import ReadOnlyAdmin
from registry.models import GraphChange, Measurement


@admin.register(Measurement)
class MeasurementAdmin(ModelAdmin):
    list_display = ["variant_link", "metric", "figure", "status_label", "runtime", "source"]
    list_filter = ["metric", "status", "runtime"]
    search_fields = ["variant__name", "variant__release__model__name", "source"]
    list_select_related = ["variant__release__model", "runtime"]

    @display(description="Variant", ordering="variant")
    def variant_link(self, row: Measurement) -> str:
        return link_to(row.variant)

    @display(description="Value", ordering="value")
    def figure(self, row: Measurement) -> str:
        return f"{row.value:,.10g} {row.unit}"

    @display(
        description="Status",
        ordering="status",
        label={"measured": "success", "derived": "info", "published": "warning"},
    )
    def status_label(self, row: Measurement) -> str:
        return row.status


@admin.register(GraphChange)
class GraphChangeAdmin(ReadOnlyAdmin):
    list_display = ["kind", "subject", "marked_at"]
    list_filter = ["kind"]
