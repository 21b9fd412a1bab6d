"""The audit trail and the scopes of users."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from registry.admin.read_only import ReadOnlyAdmin
from registry.models import AuditEntry, FleetScope

OUTCOME_COLOURS = {"done": "success", "refused": "warning", "failed": "danger"}


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "channel", "action", "subject", "outcome_label", "detail"]
    list_filter = ["channel", "outcome", "at"]
    search_fields = ["actor", "action", "subject", "detail"]
    date_hierarchy = "at"
    actions_list = ["export_csv", "export_jsonl"]

    @action(description="Export as CSV", icon="download", permissions=["view"])
    def export_csv(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(f"{reverse('audit-export')}?as=csv")

    @action(description="Export as JSON lines", icon="download", permissions=["view"])
    def export_jsonl(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(f"{reverse('audit-export')}?as=jsonl")

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
