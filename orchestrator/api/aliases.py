"""/mlflow-aliases/: where the aliases of titles stand in MLflow; read-only."""

from __future__ import annotations

from typing import Any

import django_filters
from rest_framework import serializers, viewsets

from orchestrator.models import MlflowAlias, Title
from registry.models import Release


class MlflowAliasSerializer(serializers.ModelSerializer[MlflowAlias]):
    """A title with its alias; `stands_at` is a version in MLflow, `release` a number here."""

    model = serializers.SlugRelatedField[Any](slug_field="name", read_only=True)
    release = serializers.SerializerMethodField(help_text="Which release has the title here")

    class Meta:
        model = MlflowAlias
        fields = (
            "id",
            "model",
            "mlflow_model",
            "title",
            "release",
            "stands_at",
            "proposal",
            "problem",
            "seen_at",
        )

    def get_release(self, alias: MlflowAlias) -> int | None:
        """Its number."""
        release: Release | None = getattr(alias.model, alias.title)
        return release.number if release is not None else None


class MlflowAliasFilter(django_filters.FilterSet):
    """By model and title."""

    model = django_filters.CharFilter(field_name="model__name")
    title = django_filters.ChoiceFilter(choices=Title.choices)

    class Meta:
        model = MlflowAlias
        fields: tuple[str, ...] = ()


class MlflowAliasViewSet(viewsets.ReadOnlyModelViewSet[MlflowAlias]):
    """What MLflow was last seen to say of champions and challengers, and what is wrong with it."""

    queryset = MlflowAlias.objects.select_related("model__champion", "model__challenger")
    serializer_class = MlflowAliasSerializer
    filterset_class = MlflowAliasFilter
    lookup_value_regex = "[0-9]{1,18}"
