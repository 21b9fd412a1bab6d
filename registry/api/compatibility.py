"""What fits what: one pair, one device's variants, one variant's devices."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ontology.facts import Answer, Constraint, Limits, Verdict
from ontology.matching import restrict
from registry.api.fields import VerdictSerializer
from registry.models import Device, DeviceStatus
from registry.services.lookup import LookupFailed, find_device, find_variant
from registry.services.matching import assess_pair, reason_json

ANY = "any"

_LIMIT_OF = {
    Constraint.LATENCY: "latency_ms",
    Constraint.ENERGY: "energy_mj",
    Constraint.ACCURACY: "accuracy",
}


class LimitsQuery(serializers.Serializer[object]):
    """What else is to hold, on request."""

    latency_ms = serializers.FloatField(
        required=False, min_value=0, help_text="At most so many milliseconds an inference"
    )
    energy_mj = serializers.FloatField(
        required=False, min_value=0, help_text="At most so many millijoules an inference"
    )
    accuracy = serializers.FloatField(
        required=False, min_value=0, max_value=1, help_text="At least this accuracy, as a fraction"
    )


class ConstraintsQuery(LimitsQuery):
    """Which constraints are asked."""

    only = serializers.CharField(
        required=False, help_text="Ask these constraints alone, by commas, e.g. ram,flash"
    )

    def validate_only(self, text: str) -> list[Constraint]:
        try:
            return [Constraint(name.strip()) for name in text.split(",")]
        except ValueError as error:
            raise serializers.ValidationError(f"{error}") from error

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A limit that was not set cannot be all that is asked: it would hold of everything."""
        for constraint, limit in _LIMIT_OF.items():
            if constraint in asked.get("only", ()) and limit not in asked:
                raise serializers.ValidationError({"only": [f"{constraint} needs {limit}."]})
        return asked


class PairQuery(ConstraintsQuery):
    """Which pair."""

    device = serializers.CharField(help_text="A device's id")
    variant = serializers.CharField(help_text="A variant's number, or model/release/name")


class VerdictQuery(ConstraintsQuery):
    """Which verdicts are wanted."""

    verdict = serializers.ChoiceField(
        choices=[*(answer.value for answer in Answer), ANY],
        default=Answer.FITS.value,
        help_text="Only pairs with this verdict; any for all",
    )


class DeviceVerdictQuery(VerdictQuery):
    """Which of a variant's verdicts, on which devices."""

    fleet = serializers.SlugField(required=False, help_text="Only devices of this fleet")
    board = serializers.SlugField(required=False, help_text="Only devices of this board type")
    status = serializers.ChoiceField(
        choices=DeviceStatus.values, required=False, help_text="Only devices with this status"
    )


class CompatibleVariantSerializer(VerdictSerializer):
    """A variant and its verdict on the device."""

    id = serializers.IntegerField()
    variant = serializers.CharField(help_text="model/release/name")


class CompatibleDeviceSerializer(VerdictSerializer):
    """A device and the variant's verdict on it."""

    device = serializers.SlugField()
    board = serializers.SlugField(allow_null=True)


class CompatibilityView(APIView):
    """One device and one variant."""

    @extend_schema(
        operation_id="compatibility", parameters=[PairQuery], responses=VerdictSerializer
    )
    def get(self, request: Request) -> Response:
        """Whether the variant fits the device, with a reason a constraint."""
        asked = parse_query(PairQuery, request)
        try:
            device = find_device(asked["device"])
        except LookupFailed as error:
            raise NotFound({"device": [str(error)]}) from error
        try:
            variant = find_variant(asked["variant"])
        except LookupFailed as error:
            raise NotFound({"variant": [str(error)]}) from error
        verdict = assess_pair(device, variant, limits_of(asked))
        return Response(verdict_json(restrict(verdict, asked.get("only", Constraint))))


def parse_query(query: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The checked parameters; ValidationError names each that is wrong."""
    serializer = query(data=request.query_params)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def limits_of(asked: dict[str, Any]) -> Limits | None:
    """The constraints on request, None where none is."""
    limits = Limits(asked.get("latency_ms"), asked.get("energy_mj"), asked.get("accuracy"))
    return None if limits == Limits() else limits


def answer_of(asked: dict[str, Any]) -> Answer | None:
    """The wanted answer, None for any."""
    return None if asked["verdict"] == ANY else Answer(asked["verdict"])


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as VerdictSerializer documents it."""
    return {
        "verdict": verdict.answer.value,
        "assumed": verdict.assumed,
        "reasons": [reason_json(reason) for reason in verdict.reasons],
    }


def device_verdict_json(device: Device, verdict: Verdict) -> dict[str, Any]:
    """A device with its verdict."""
    board = device.profile.board.slug if device.profile else None
    return {"device": device.device_id, "board": board, **verdict_json(verdict)}
