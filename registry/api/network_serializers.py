"""How models, releases, variants and figures look as JSON."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from registry.api.fields import (
    NamesField,
    ObjectField,
    OperatorsField,
    SensorNeedSerializer,
    TraitsField,
)
from registry.models import Measurement, RegisteredModel, Release, Remark, Variant
from registry.models.techniques import check_traits
from registry.services import inventory
from registry.services.measurements import conflicting


class ModelSerializer(serializers.ModelSerializer[RegisteredModel]):
    """A task that models solve; champion and challenger are numbers of its releases."""

    champion = serializers.IntegerField(
        source="champion.number", allow_null=True, required=False, min_value=1
    )
    challenger = serializers.IntegerField(
        source="challenger.number", allow_null=True, required=False, min_value=1
    )

    traits = TraitsField(required=False, validators=[check_traits])

    class Meta:
        model = RegisteredModel
        fields = (
            "name",
            "task",
            "category",
            "description",
            "champion",
            "challenger",
            "reference",
            "language_model",
            "traits",
            "traits_source",
            "created_at",
        )
        read_only_fields = ("reference", "created_at")

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


def conflict_json(row: Measurement, other: Measurement) -> dict[str, Any]:
    """The other figure, by what tells it from this one."""
    elsewhere = str(other.variant) if other.variant_id != row.variant_id else None
    return {
        "variant": elsewhere,
        "metric": other.metric,
        "value": other.value,
        "unit": other.unit,
        "source": other.source,
    }


class ConflictSerializer(serializers.Serializer[object]):
    """A figure that contradicts another; `variant` is null where it is of the same one."""

    variant = serializers.CharField(allow_null=True)
    metric = serializers.CharField()
    value = serializers.FloatField()
    unit = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]


class MeasurementSerializer(serializers.ModelSerializer[Measurement]):
    """A figure with its provenance; what it does not depend on is null."""

    runtime = serializers.StringRelatedField[Any]()
    board = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True)
    device = serializers.SlugRelatedField[Any](slug_field="device_id", read_only=True)
    status = serializers.CharField(help_text="measured, derived or published")
    conflicts_with = serializers.SerializerMethodField()

    class Meta:
        model = Measurement
        fields = (
            "metric",
            "value",
            "unit",
            "error",
            "status",
            "source",
            "precision",
            "runtime",
            "board",
            "device",
            "dataset",
            "conditions",
            "note",
            "conflicts_with",
        )

    @extend_schema_field(ConflictSerializer(many=True))
    def get_conflicts_with(self, row: Measurement) -> list[dict[str, Any]]:
        """Both figures are kept; it is for who reads them to judge."""
        return [conflict_json(row, other) for other in self.context["conflicts"].get(row.pk, ())]


class RemarkSerializer(serializers.ModelSerializer[Remark]):
    """What a source says on a target in place of a figure."""

    runtime = serializers.StringRelatedField[Any]()
    board = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True)

    class Meta:
        model = Remark
        fields = ("text", "source", "board", "runtime")


class VariantSerializer(serializers.ModelSerializer[Variant]):
    """One network and what it needs; without an artifact it is known by its figures alone."""

    variant = serializers.CharField(source="__str__", help_text="model/release/name")
    model = serializers.CharField(source="release.model.name")
    release = serializers.IntegerField(source="release.number")
    release_id = serializers.IntegerField()
    data_source = serializers.CharField(source="release.data_source")
    seed = serializers.IntegerField(allow_null=True, help_text="null: not known")
    commit = serializers.CharField(help_text="Of the code that trained it; empty: not known")
    sha256 = serializers.CharField(source="artifact_id", allow_null=True)
    size_bytes = serializers.IntegerField(source="artifact.size_bytes", allow_null=True)
    operators = OperatorsField(allow_null=True)
    dtypes = NamesField(allow_null=True)
    sensors = SensorNeedSerializer(many=True, allow_null=True)
    runtimes = NamesField(allow_null=True)
    measurements = serializers.SerializerMethodField()
    remarks = RemarkSerializer(many=True)

    class Meta:
        model = Variant
        fields: tuple[str, ...] = (
            "id",
            "variant",
            "model",
            "release",
            "release_id",
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
            "remarks",
            "data_source",
            "seed",
            "commit",
            "mlflow_model",
            "mlflow_version",
            "mlflow_run_id",
            "created_at",
        )

    @extend_schema_field(MeasurementSerializer(many=True))
    def get_measurements(self, variant: Variant) -> list[dict[str, Any]]:
        """Every figure, with those that contradict it."""
        context = {"conflicts": conflicting(variant)}
        figures = MeasurementSerializer(variant.measurements.all(), many=True, context=context)
        return list(figures.data)


class VariantDetailSerializer(VariantSerializer):
    """One artifact with the description that was read from its bytes, and how it was made."""

    description = ObjectField()
    training = ObjectField(help_text="How it was made, whatever its trainer says of it")

    class Meta(VariantSerializer.Meta):
        fields = (*VariantSerializer.Meta.fields, "description", "training")
