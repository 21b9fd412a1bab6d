"""The audit trail and the scopes of users."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin
from unfold.decorators import display

from registry.admin.read_only import ReadOnlyAdmin
from registry.models import AuditEntry, FleetScope

OUTCOME_COLOURS = {"done": "success", "refused": "warning", "failed": "danger"}


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "channel", "action", "subject", "outcome_label", "detail"]
    list_filter = ["channel", "outcome", "at"]
    search_fields = ["actor", "action", "subject", "detail"]
    date_hierarchy = "at"

    @display(description="Result", ordering="outcome", label=OUTCOME_COLOURS)
    def outcome_label(self, entry: AuditEntry) -> str:
        return entry.outcome


@admin.register(FleetScope)
class FleetScopeAdmin(ModelAdmin):
    list_display = ["user", "fleet_names"]
    autocomplete_fields = ["fleets"]
    search_fields = ["user__username"]

    @display(description="May act on the devices of")
    def fleet_names(self, scope: FleetScope) -> str:
        return ", ".join(scope.fleets.values_list("name", flat=True)) or "none"
