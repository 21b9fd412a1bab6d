"""Figures with their provenance, and what waits for the graph."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from unfold.admin import ModelAdmin
from unfold.decorators import display

from registry.admin.columns import link_to
from registry.admin.read_only import ReadOnlyAdmin
from registry.models import GraphChange, Measurement
from registry.services.measurements import conflicting


@admin.register(Measurement)
class MeasurementAdmin(ModelAdmin):
    list_display = [
        "variant_link",
        "metric",
        "figure",
        "status_label",
        "runtime",
        "source",
        "contradicted_by",
    ]
    list_filter = ["metric", "status", "runtime"]
    search_fields = ["variant__name", "variant__release__model__name", "source"]
    list_select_related = ["variant__release__model", "runtime"]
    autocomplete_fields = ["disputes"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Measurement]:
        """With the other figures of each variant, which they are compared with."""
        figures = "variant__measurements"
        return (
            super()
            .get_queryset(request)
            .prefetch_related(
                f"{figures}__runtime", f"{figures}__board", f"{figures}__disputes__variant"
            )
        )

    @display(description="Conflicts with")
    def contradicted_by(self, row: Measurement) -> str:
        against = conflicting(row.variant).get(row.pk, ())
        figures = [(link_to(each, self.figure(each)), each.source) for each in against]
        return format_html_join(", ", "⚠ {} ({})", figures) or "–"

    @display(description="Variant", ordering="variant")
    def variant_link(self, row: Measurement) -> str:
        return link_to(row.variant)

    @display(description="Value", ordering="value")
    def figure(self, row: Measurement) -> str:
        error = "" if row.error is None else f" ± {row.error:.0%}"
        return f"{row.value:,.10g} {row.unit}{error}"

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
