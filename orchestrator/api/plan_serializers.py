"""How a dry run looks as JSON."""

from __future__ import annotations

from rest_framework import serializers

from orchestrator.api.rollout_fields import CountsField
from orchestrator.api.rollout_serializers import RefusalSerializer
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.services.plans import Assignment


class AssignmentSerializer(serializers.Serializer[Assignment]):
    """One device's share of a plan."""

    device = serializers.CharField(source="device.device_id")
    outcome = serializers.ChoiceField(
        choices=[
            status.value
            for status in (
                DeploymentStatus.PENDING,
                DeploymentStatus.ALREADY_INSTALLED,
                DeploymentStatus.NOT_APPLICABLE,
            )
        ]
    )
    variant = serializers.CharField(allow_null=True)
    wave = serializers.IntegerField()
    download_bytes = serializers.IntegerField()
    detail = serializers.CharField()
    reasons = RefusalSerializer(many=True)


class RefusedSerializer(serializers.Serializer[object]):
    """Devices that get nothing for the same reason."""

    why = serializers.CharField()
    devices = serializers.IntegerField()
    example = serializers.CharField(help_text="One of the devices")


class TakenOverSerializer(serializers.Serializer[object]):
    """An older rollout whose open deployments it would supersede."""

    rollout = serializers.IntegerField()
    name = serializers.CharField()
    devices = serializers.IntegerField()


class PlanSerializer(serializers.Serializer[object]):
    """A dry run: who would get what, who nothing and why, and what it costs in bytes."""

    devices = serializers.IntegerField()
    refusal = serializers.CharField(help_text="Why it would not be taken as it is; else empty")
    outcomes = CountsField(help_text="Outcome to number of devices")
    variants = CountsField(help_text="Variant to number of devices that would be sent it")
    waves = serializers.ListField(
        child=serializers.IntegerField(), help_text="Devices that each wave would update"
    )
    refused = RefusedSerializer(many=True, help_text="Who gets nothing, by reason")
    download_bytes = serializers.IntegerField(help_text="What all devices together would fetch")
    published_bytes = serializers.IntegerField(help_text="What the broker would hold once")
    expected_s = serializers.FloatField(
        allow_null=True, help_text="From the start to the end where all are online; null: not known"
    )
    expected_from = serializers.IntegerField(help_text="So many past updates tell that time")
    offline = serializers.IntegerField(help_text="Of those to be updated, not connected now")
    taken_over = TakenOverSerializer(many=True, help_text="What it would supersede, by rollout")
    assignments = AssignmentSerializer(many=True, help_text="One page of them: limit and offset")
