"""Published techniques, and works that are cited alone: they come with the catalogue."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from ontology.preconditions import known_preconditions
from registry.admin.columns import joined
from registry.admin.read_only import ReadOnlyAdmin
from registry.models import CitedWork, Technique


@admin.register(Technique)
class TechniqueAdmin(ReadOnlyAdmin):
    list_display = ["name", "kind", "applies_to", "asks_for", "achieved", "source"]
    list_filter = ["kind"]
    search_fields = ["name", "kind", "source"]

    @display(description="Asks for")
    def asks_for(self, technique: Technique) -> str:
        return joined(known_preconditions()[key].label for key in technique.preconditions)


@admin.register(CitedWork)
class CitedWorkAdmin(ReadOnlyAdmin):
    list_display = ["title", "source", "out_of_scope_because"]
    search_fields = ["title", "source"]
