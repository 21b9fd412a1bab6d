"""/compliance/: how devices stand to what they ought to run."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.policy.compliance import Standing
from orchestrator.services.compliance import Compliance, DeviceStanding, compliance
from registry.api.permissions import ReadOrPublicRead
from registry.services.lookup import LookupFailed, find_model


class ComplianceQuery(serializers.Serializer[object]):
    """Of which model, and which devices."""

    model = serializers.CharField(max_length=120, help_text="A model's name")
    standing = serializers.ChoiceField(choices=[each.value for each in Standing], required=False)
    unreachable = serializers.BooleanField(required=False, allow_null=True, default=None)


class DeviceStandingSerializer(serializers.Serializer[DeviceStanding]):
    """One device."""

    device = serializers.CharField()
    standing = serializers.CharField()
    runs = serializers.StringRelatedField[Any](allow_null=True)
    best = serializers.StringRelatedField[Any](allow_null=True)
    gain = serializers.FloatField(allow_null=True, help_text="Accuracy to be had, a fraction")
    online = serializers.BooleanField(source="is_online")
    last_seen_at = serializers.DateTimeField(allow_null=True)


class ComplianceSerializer(serializers.Serializer[object]):
    """Counts over all devices, and a page of those that were asked for."""

    release = serializers.CharField(allow_null=True, help_text="What devices are measured by")
    counts = serializers.DictField(child=serializers.IntegerField())
    unreachable = serializers.IntegerField()
    count = serializers.IntegerField(help_text="Devices that were asked for")
    results = DeviceStandingSerializer(many=True)


class ComplianceView(GenericAPIView[Any]):
    """Who runs the best that fits, who could be better and by how much, who is out of reach."""

    permission_classes = (ReadOrPublicRead,)
    serializer_class = ComplianceSerializer

    @extend_schema(parameters=[ComplianceQuery], responses=ComplianceSerializer)
    def get(self, request: Request) -> Response:
        """Measured by the model's champion, or by its newest release where it has none."""
        query = ComplianceQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        try:
            found = compliance(find_model(asked["model"]))
        except LookupFailed as error:
            raise ValidationError({"model": [f"{error}."]}) from error
        wanted = wanted_devices(found, asked.get("standing"), asked["unreachable"])
        page = self.paginate_queryset(wanted)  # type: ignore[arg-type]
        summary = {
            "release": found.release_name,
            "counts": found.counts,
            "unreachable": found.unreachable,
            "count": len(wanted),
            "results": page or [],
        }
        return Response(ComplianceSerializer(summary).data)


def wanted_devices(
    found: Compliance, standing: str | None, unreachable: bool | None
) -> list[DeviceStanding]:
    """Those of one standing, or in or out of reach; all where nothing is asked."""
    return [
        each
        for each in found.devices
        if (not standing or each.standing == standing)
        and (unreachable is None or unreachable != each.is_online)
    ]
