"""Fields of rollouts that come as JSON; the service names what is wrong in them."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from orchestrator.policy.sending import DAYS

TARGET = {
    "oneOf": [
        {"type": "object", "properties": {"all": {"type": "boolean"}}, "required": ["all"]},
        {"type": "object", "properties": {"fleet": {"type": "string"}}, "required": ["fleet"]},
        {
            "type": "object",
            "properties": {"devices": {"type": "array", "items": {"type": "string"}}},
            "required": ["devices"],
        },
        {"type": "object", "properties": {"filter": {"type": "string"}}, "required": ["filter"]},
        {"type": "object", "properties": {"sparql": {"type": "string"}}, "required": ["sparql"]},
    ]
}
COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}
WINDOW = {
    "type": "object",
    "nullable": True,
    "properties": {
        "from": {"type": "string"},
        "to": {"type": "string"},
        "days": {"type": "array", "items": {"enum": list(DAYS)}},
        "timezone": {"type": "string"},
    },
    "required": ["from", "to"],
}
NUMBERS = {"type": "object", "additionalProperties": {"type": "number"}}


@extend_schema_field(TARGET)
class TargetField(serializers.JSONField):
    """{"all": true}, {"fleet": slug}, {"devices": [ids]}, {"filter": text} or {"sparql": query}."""


@extend_schema_field({"type": "array", "items": {"type": "number"}})
class PercentagesField(serializers.JSONField):
    """Cumulative percentages, ending at 100."""


@extend_schema_field({"type": "array", "items": {"type": "integer"}})
class SizesField(serializers.JSONField):
    """Devices a wave; one more wave takes the rest."""


@extend_schema_field(WINDOW)
class WindowField(serializers.JSONField):
    """Hours in which orders may be sent."""


@extend_schema_field(NUMBERS)
class HealthField(serializers.JSONField):
    """max_accuracy_drop, max_latency_ratio, max_restarts."""


@extend_schema_field(COUNTS)
class CountsField(serializers.JSONField):
    """Status to number of devices."""
