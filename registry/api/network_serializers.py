"""How models, releases, variants and figures look as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from registry.api.fields import NamesField, ObjectField, OperatorsField, SensorNeedSerializer
from registry.models import Measurement, RegisteredModel, Release, Variant
from registry.services import inventory


class ModelSerializer(serializers.ModelSerializer[RegisteredModel]):
    """A task that models solve; champion and challenger are numbers of its releases."""

    champion = serializers.IntegerField(
        source="champion.number", allow_null=True, required=False, min_value=1
    )
    challenger = serializers.IntegerField(
        source="challenger.number", allow_null=True, required=False, min_value=1
    )

    class Meta:
        model = RegisteredModel
        fields = ("name", "task", "category", "description", "champion", "challenger", "created_at")
        read_only_fields = ("created_at",)

    def create(self, validated_data: dict[str, Any]) -> RegisteredModel:
        return self._save(RegisteredModel(), validated_data)

    def update(self, instance: RegisteredModel, validated_data: dict[str, Any]) -> RegisteredModel:
        if validated_data.get("name", instance.name) != instance.name:
            raise serializers.ValidationError(
                {"name": ["A model keeps its name: MLflow and devices know it by it."]}
            )
        return self._save(instance, validated_data)

    def _save(self, model: RegisteredModel, data: dict[str, Any]) -> RegisteredModel:
        for role in ("champion", "challenger"):
            if role in data:
                setattr(model, role, _release_of(model, role, data.pop(role)["number"]))
        for name, value in data.items():
            setattr(model, name, value)
        return inventory.save_model(model)


def _release_of(model: RegisteredModel, role: str, number: int | None) -> Release | None:
    if number is None:
        return None
    release = model.releases.filter(number=number).first() if model.pk else None
    if release is None:
        raise serializers.ValidationError({role: [f"The model has no release {number}."]})
    return release


class VariantNameSerializer(serializers.ModelSerializer[Variant]):
    """A variant by its number and name."""

    class Meta:
        model = Variant
        fields = ("id", "name")


class ReleaseSerializer(serializers.ModelSerializer[Release]):
    """One training generation."""

    model = serializers.SlugRelatedField[Any](slug_field="name", read_only=True)
    variants = VariantNameSerializer(many=True)

    class Meta:
        model = Release
        fields = (
            "id",
            "model",
            "number",
            "variants",
            "mlflow_run_id",
            "data_source",
            "notes",
            "created_at",
        )


class MeasurementSerializer(serializers.ModelSerializer[Measurement]):
    """A figure with its provenance; what it does not depend on is null."""

    runtime = serializers.StringRelatedField[Any]()
    board = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True)
    device = serializers.SlugRelatedField[Any](slug_field="device_id", read_only=True)
    status = serializers.CharField(help_text="measured, derived or published")

    class Meta:
        model = Measurement
        fields = (
            "metric",
            "value",
            "unit",
            "status",
            "source",
            "precision",
            "runtime",
            "board",
            "device",
        )


class VariantSerializer(serializers.ModelSerializer[Variant]):
    """One network and what it needs; without an artifact it is known by its figures alone."""

    variant = serializers.CharField(source="__str__", help_text="model/release/name")
    model = serializers.CharField(source="release.model.name")
    release = serializers.IntegerField(source="release.number")
    sha256 = serializers.CharField(source="artifact_id", allow_null=True)
    size_bytes = serializers.IntegerField(source="artifact.size_bytes", allow_null=True)
    operators = OperatorsField(allow_null=True)
    dtypes = NamesField(allow_null=True)
    sensors = SensorNeedSerializer(many=True, allow_null=True)
    runtimes = NamesField(allow_null=True)
    measurements = MeasurementSerializer(many=True)

    class Meta:
        model = Variant
        fields: tuple[str, ...] = (
            "id",
            "variant",
            "model",
            "release",
            "name",
            "iri",
            "sha256",
            "size_bytes",
            "precision",
            "operators",
            "dtypes",
            "sensors",
            "runtimes",
            "parent",
            "technique",
            "measurements",
            "mlflow_version",
            "mlflow_run_id",
            "created_at",
        )


class VariantDetailSerializer(VariantSerializer):
    """One artifact with the description that was read from its bytes."""

    description = ObjectField()

    class Meta(VariantSerializer.Meta):
        fields = (*VariantSerializer.Meta.fields, "description")
