"""Shapes of JSON that several resources show."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ontology.facts import Answer, Constraint

QUANTITY = {
    "oneOf": [
        {"type": "number"},
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
    ],
    "nullable": True,
}


@extend_schema_field(QUANTITY)
class QuantityField(serializers.JSONField):
    """A number, a text or a list of texts; null where it is not known."""


@extend_schema_field({"type": "array", "items": {"type": "integer"}, "nullable": True})
class ShapeField(serializers.JSONField):
    """The lengths of a tensor's or a sample's dimensions."""


@extend_schema_field(
    {"type": "object", "additionalProperties": {"type": "integer"}, "nullable": True}
)
class OperatorsField(serializers.JSONField):
    """Operator name to version."""


@extend_schema_field({"type": "array", "items": {"type": "string"}, "nullable": True})
class NamesField(serializers.JSONField):
    """A list of names."""


@extend_schema_field({"type": "object", "additionalProperties": {"type": "boolean"}})
class TraitsField(serializers.JSONField):
    """Preconditions of techniques by name: true where one holds, false where it does not."""


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(serializers.JSONField):
    """Free JSON."""


class SensorSerializer(serializers.Serializer[object]):
    """A sensor of a device."""

    kind = serializers.CharField()
    max_rate_hz = serializers.FloatField(allow_null=True)
    shape = ShapeField(allow_null=True)


class SensorNeedSerializer(serializers.Serializer[object]):
    """An input that a model reads."""

    kind = serializers.CharField()
    rate_hz = serializers.FloatField(allow_null=True)
    shape = ShapeField(allow_null=True)


class BasisSerializer(serializers.Serializer[object]):
    """The figure that a reason rests on; `error` is relative, null where nobody says it."""

    status = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    error = serializers.FloatField(allow_null=True)


class ReasonSerializer(serializers.Serializer[object]):
    """One constraint's outcome; `holds` is null where it is not known."""

    constraint = serializers.ChoiceField(choices=[item.value for item in Constraint])
    need = QuantityField()
    have = QuantityField()
    unit = serializers.CharField()
    headroom = serializers.FloatField(allow_null=True)
    holds = serializers.BooleanField(allow_null=True)
    basis = BasisSerializer(allow_null=True)


class VerdictSerializer(serializers.Serializer[object]):
    """fits, does_not_fit or unknown, with a reason a constraint.

    `assumed` marks a bare board that was judged with a reserve instead of a firmware's word.
    """

    verdict = serializers.ChoiceField(choices=[item.value for item in Answer])
    assumed = serializers.BooleanField()
    reasons = ReasonSerializer(many=True)
