"""Where the aliases of titles stand in MLflow, and why."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from orchestrator.models import MlflowAlias
from registry.admin.columns import link_to
from registry.admin.read_only import ReadOnlyAdmin


@admin.register(MlflowAlias)
class MlflowAliasAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "stands_at", "title_here", "proposed", "problem", "seen_at"]
    list_filter = ["title", "model"]
    search_fields = ["mlflow_model"]
    list_select_related = ["model__champion", "model__challenger", "proposal"]

    @display(description="Release here")
    def title_here(self, alias: MlflowAlias) -> str:
        return link_to(getattr(alias.model, alias.title))

    @display(description="Proposed")
    def proposed(self, alias: MlflowAlias) -> str:
        return link_to(alias.proposal)
