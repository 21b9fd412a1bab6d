"""Models, releases, variants and their artifacts."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from ontology.facts import QUALITIES, Metric
from registry.admin.columns import bytes_text, joined, link_to, share_text
from registry.admin.read_only import NotAddedHere, ReadOnlyAdmin, ReadOnlyInline
from registry.models import Artifact, Measurement, RegisteredModel, Release, Remark, Variant
from registry.services import inventory
from registry.services.measurements import conflicting


class ReleaseInline(ReadOnlyInline):
    model = Release
    fields = ["number", "data_source", "mlflow_run_id"]
    show_change_link = True


class RegisteredModelForm(forms.ModelForm):
    """Offers, and takes, a model's own releases alone; a new model has none yet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for role in {"champion", "challenger"} & self.fields.keys():
            field = cast("forms.ModelChoiceField[Release]", self.fields[role])
            field.queryset = Release.objects.filter(model=self.instance.pk)
            field.error_messages["invalid_choice"] = "That is no release of this model."


@admin.register(RegisteredModel)
class RegisteredModelAdmin(ModelAdmin):
    list_display = ["name", "task", "champion", "challenger", "reference"]
    list_filter = ["reference", "language_model"]
    search_fields = ["name", "task"]
    inlines = [ReleaseInline]
    form = RegisteredModelForm

    def get_readonly_fields(
        self, request: HttpRequest, obj: RegisteredModel | None = None
    ) -> list[str]:
        """MLflow and devices know a model by its name, so it stays."""
        return ["name"] if obj else []

    def save_model(
        self, request: HttpRequest, obj: RegisteredModel, form: forms.ModelForm, change: bool
    ) -> None:
        inventory.save_model(obj)


class VariantInline(ReadOnlyInline):
    model = Variant
    fields = ["name", "technique", "precision", "mlflow_version"]
    show_change_link = True


@admin.register(Release)
class ReleaseAdmin(NotAddedHere):
    list_display = ["__str__", "data_source", "variant_count", "created_at"]
    list_filter = ["model"]
    list_select_related = ["model"]
    search_fields = ["model__name"]
    readonly_fields = ["model", "number"]
    inlines = [VariantInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        return super().get_queryset(request).annotate(count=Count("variants"))

    @display(description="Variants", ordering="count")
    def variant_count(self, release: Release) -> int:
        return int(getattr(release, "count", 0))


class MeasurementInline(TabularInline):
    model = Measurement
    fields = [
        "metric",
        "value",
        "unit",
        "status",
        "runtime",
        "dataset",
        "conditions",
        "source",
        "conflicts",
    ]
    readonly_fields = ["conflicts"]
    extra = 0

    @display(description="Conflicts with")
    def conflicts(self, row: Measurement) -> str:
        against = conflicting(row.variant).get(row.pk, ()) if row.pk else ()
        return joined(f"⚠ {each.value:,.10g} {each.unit}, {each.source}" for each in against)


class RemarkInline(ReadOnlyInline):
    model = Remark
    fields = ["text", "board", "runtime", "source"]


@admin.register(Variant)
class VariantAdmin(NotAddedHere):
    list_display = ["name", "release", "size", "quality", "operator_names", "technique"]
    list_filter = ["release__model__reference", "release__model", "technique", "precision"]
    search_fields = ["name", "release__model__name", "artifact__sha256"]
    list_select_related = ["release__model", "artifact"]
    readonly_fields = ["release", "name", "artifact", "operators", "dtypes", "description"]
    readonly_fields += ["seed", "commit", "data"]
    inlines = [MeasurementInline, RemarkInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Variant]:
        return super().get_queryset(request).prefetch_related("measurements")

    @display(description="Data")
    def data(self, variant: Variant) -> str:
        return variant.release.data_source or "–"

    @display(description="Seed")
    def seed(self, variant: Variant) -> str:
        return "–" if variant.seed is None else str(variant.seed)

    @display(description="Commit")
    def commit(self, variant: Variant) -> str:
        return variant.commit or "–"

    @display(description="File", ordering="artifact__size_bytes")
    def size(self, variant: Variant) -> str:
        return bytes_text(variant.artifact.size_bytes if variant.artifact else None)

    @display(description="Quality")
    def quality(self, variant: Variant) -> str:
        """An accuracy as a share; of what is judged by another measure, that."""
        rows = {row.metric: row for row in variant.measurements.all() if row.metric in QUALITIES}
        if Metric.ACCURACY in rows or not rows:
            row = rows.get(Metric.ACCURACY)
            return share_text(None if row is None else row.value)
        row = next(rows[each] for each in QUALITIES if each in rows)
        return f"{row.metric} {row.value:.4f}"

    @display(description="Operators")
    def operator_names(self, variant: Variant) -> str:
        return joined(sorted(variant.operators or {}))


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    list_display = ["sha256", "size", "media_type", "users", "created_at"]
    search_fields = ["sha256"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Artifact]:
        return super().get_queryset(request).prefetch_related("variants__release__model")

    @display(description="Size", ordering="size_bytes")
    def size(self, artifact: Artifact) -> str:
        return bytes_text(artifact.size_bytes)

    @display(description="Used by")
    def users(self, artifact: Artifact) -> str:
        first = artifact.variants.all()[:1]
        return link_to(first[0]) if first else "–"
