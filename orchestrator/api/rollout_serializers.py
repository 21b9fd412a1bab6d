"""How rollouts, waves, deployments and plans look as JSON."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from orchestrator.api.rollout_fields import (
    COUNTS,
    HealthField,
    PercentagesField,
    SizesField,
    TargetField,
    WindowField,
)
from orchestrator.models import Deployment, DeploymentEvent, Rollout, Wave
from orchestrator.selectors.rollouts import wave_status_counts
from orchestrator.services.rollouts import RolloutPolicy
from registry.api.fields import ReasonSerializer
from registry.models import Release, Variant
from registry.services.lookup import LookupFailed, find_release, find_variant


class RolloutOrderSerializer(serializers.Serializer[object]):
    """What a new rollout is to be; a release or one variant."""

    name = serializers.CharField(max_length=160)
    release = serializers.CharField(required=False, help_text="A release's id, or model/number")
    variant = serializers.CharField(required=False, help_text="A variant's id, or model/1/name")
    target = TargetField()
    is_dynamic = serializers.BooleanField(required=False)
    wave_percentages = PercentagesField(required=False)
    wave_sizes = SizesField(required=False)
    success_threshold = serializers.FloatField(required=False, help_text="Fraction, from 0 to 1")
    error_threshold = serializers.FloatField(required=False, help_text="Fraction, from 0 to 1")
    soak_s = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    health = HealthField(required=False)
    revert_on_failure = serializers.BooleanField(required=False)
    window = WindowField(required=False, allow_null=True)
    max_per_minute = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**31 - 1
    )
    needs_approval = serializers.BooleanField(required=False)
    start_at = serializers.DateTimeField(required=False, allow_null=True)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate_release(self, name: str) -> Release:
        """The release that is meant."""
        try:
            return find_release(name)
        except LookupFailed as error:
            raise serializers.ValidationError(f"{error}.") from error

    def validate_variant(self, name: str) -> Variant:
        """The variant that is meant."""
        try:
            return find_variant(name)
        except LookupFailed as error:
            raise serializers.ValidationError(f"{error}.") from error

    def order(self) -> dict[str, Any]:
        """The checked fields as `create_rollout` and `draft_rollout` take them."""
        given = dict(self.validated_data)
        head = {name: given.pop(name) for name in ("name", "target")}
        what = {name: given.pop(name, None) for name in ("release", "variant")}
        return {**head, **what, "policy": RolloutPolicy(**given)}


class WaveSerializer(serializers.ModelSerializer[Wave]):
    """One stage, with how many of its devices stand where."""

    counts = serializers.SerializerMethodField()

    class Meta:
        model = Wave
        fields = ("number", "status", "started_at", "finished_at", "counts")

    @extend_schema_field(COUNTS)
    def get_counts(self, wave: Wave) -> dict[str, int]:
        """Status to number of devices, newest attempts only."""
        counts: dict[int, dict[str, int]] = self.context["wave_counts"]
        return counts.get(wave.pk, {})


class RolloutSerializer(serializers.ModelSerializer[Rollout]):
    """A campaign."""

    release = serializers.SerializerMethodField()
    variant = serializers.SerializerMethodField()
    target = TargetField()
    wave_percentages = PercentagesField()
    wave_sizes = SizesField()
    window = WindowField()
    health = HealthField()
    created_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)
    approved_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)

    class Meta:
        model = Rollout
        fields: tuple[str, ...] = (
            "id",
            "name",
            "release",
            "variant",
            "target",
            "status",
            "detail",
            "is_dynamic",
            "wave_percentages",
            "wave_sizes",
            "success_threshold",
            "error_threshold",
            "soak_s",
            "health",
            "revert_on_failure",
            "window",
            "max_per_minute",
            "needs_approval",
            "approved_by",
            "approved_at",
            "start_at",
            "expires_at",
            "proposal",
            "created_by",
            "created_at",
            "started_at",
            "finished_at",
        )

    def get_release(self, rollout: Rollout) -> str | None:
        """model/number."""
        release = rollout.release
        return f"{release.model.name}/{release.number}" if release is not None else None

    def get_variant(self, rollout: Rollout) -> str | None:
        """model/number/name."""
        return str(rollout.variant) if rollout.variant is not None else None


class RolloutDetailSerializer(RolloutSerializer):
    """A campaign with its waves."""

    waves = serializers.SerializerMethodField()

    class Meta(RolloutSerializer.Meta):
        fields = (*RolloutSerializer.Meta.fields, "waves")

    @extend_schema_field(WaveSerializer(many=True))
    def get_waves(self, rollout: Rollout) -> Any:
        """The stages in order."""
        counts = wave_status_counts([rollout])
        waves = rollout.waves.order_by("number")
        return WaveSerializer(waves, many=True, context={"wave_counts": counts}).data


class LeftAloneSerializer(serializers.Serializer[object]):
    """Devices that an order passes over, and why."""

    why = serializers.CharField()
    devices = serializers.IntegerField()
    example = serializers.CharField(help_text="One of the devices")


class PassedOverSerializer(RolloutDetailSerializer):
    """A campaign after a retry or a roll back, and whom that leaves alone."""

    left_alone = LeftAloneSerializer(many=True)

    class Meta(RolloutDetailSerializer.Meta):
        fields = (*RolloutDetailSerializer.Meta.fields, "left_alone")


class RefusalSerializer(ReasonSerializer):
    """A constraint that keeps a variant from fitting."""

    variant = serializers.CharField(help_text="model/number/name")


class DeploymentSerializer(serializers.ModelSerializer[Deployment]):
    """One device's update."""

    rollout = serializers.IntegerField(source="wave.rollout_id", read_only=True)
    wave = serializers.IntegerField(source="wave.number", read_only=True)
    device = serializers.SlugRelatedField[Any](slug_field="device_id", read_only=True)
    variant = serializers.StringRelatedField[Any](allow_null=True)
    previous = serializers.StringRelatedField[Any](allow_null=True)
    reasons = RefusalSerializer(many=True)

    class Meta:
        model = Deployment
        fields: tuple[str, ...] = (
            "id",
            "rollout",
            "wave",
            "device",
            "variant",
            "previous",
            "purpose",
            "attempt",
            "is_newest",
            "status",
            "is_open",
            "progress",
            "result_code",
            "detail",
            "reasons",
            "sequence",
            "created_at",
            "changed_at",
            "installed_at",
            "soak_ends_at",
            "expires_at",
        )


class DeploymentEventSerializer(serializers.ModelSerializer[DeploymentEvent]):
    """One change of a deployment's status."""

    class Meta:
        model = DeploymentEvent
        fields = ("at", "status", "code", "detail")


class DeploymentDetailSerializer(DeploymentSerializer):
    """One device's update with its history."""

    events = DeploymentEventSerializer(many=True)

    class Meta(DeploymentSerializer.Meta):
        fields = (*DeploymentSerializer.Meta.fields, "events")
