"""The best variants first, for a device that there is or for one that somebody thinks of."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from ontology.matching import LatencyTarget, Ranking, Weights, parse_weights
from ontology.matching.ranking import HARD_ALPHA, HARD_BETA
from registry.api import compatibility
from registry.models import Variant
from registry.services.lookup import LookupFailed, find_model
from registry.services.matching import candidates
from registry.services.ranked import RankedVariant, WhatIf, ranked, what_if

_WEIGHTS = [field.name for field in fields(Weights)]


class CandidatesQuery(compatibility.VerdictQuery):
    """Which variants are asked about, and what makes one better than another."""

    model = serializers.SlugField(required=False, help_text="The variants of one model")
    reference = serializers.BooleanField(
        default=False, help_text="Published reference models too, beside the installation's own"
    )
    weights = serializers.CharField(
        required=False, help_text=f"By weights of {', '.join(_WEIGHTS)}: accuracy=1,ram=0.5"
    )
    target_latency_ms = serializers.FloatField(
        required=False, min_value=0.001, help_text="By MnasNet's reward for this target"
    )
    alpha = serializers.FloatField(default=HARD_ALPHA, help_text="Its exponent within the target")
    beta = serializers.FloatField(default=HARD_BETA, help_text="Its exponent above the target")

    def validate_weights(self, text: str) -> Weights:
        try:
            return parse_weights(text)
        except ValueError as error:
            raise serializers.ValidationError(f"{error}.") from error

    def validate_model(self, name: str) -> str:
        try:
            return find_model(name).name
        except LookupFailed as error:
            raise serializers.ValidationError(f"{error}.") from error

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "weights" in asked and "target_latency_ms" in asked:
            raise serializers.ValidationError({"weights": ["Give weights or a target, not both."]})
        try:
            ranking_of(asked)
        except ValueError as error:
            raise serializers.ValidationError({"target_latency_ms": [f"{error}."]}) from error
        return super().validate(asked)


class WhatIfQuery(CandidatesQuery):
    """A device that nobody has; what is left out is not known."""

    ram_bytes = serializers.IntegerField(required=False, min_value=0, max_value=2**53)
    flash_bytes = serializers.IntegerField(required=False, min_value=0, max_value=2**53)
    runtime = serializers.CharField(default="", help_text="NAME@VERSION/KERNELS")
    board = serializers.SlugField(default="", help_text="A board type")


class RankedVariantSerializer(compatibility.CompatibleVariantSerializer):
    """A variant with its verdict and its merit, null where a figure that counts is not known."""

    merit = serializers.FloatField(allow_null=True)


class WhatIfView(GenericAPIView[Variant]):
    """A device that nobody has."""

    queryset = Variant.objects.none()
    filter_backends = ()

    @extend_schema(
        operation_id="what_if",
        parameters=[WhatIfQuery],
        responses=RankedVariantSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Every variant that would fit such a device, the best first."""
        asked = compatibility.parse_query(WhatIfQuery, request)
        device = WhatIf(
            asked.get("ram_bytes"), asked.get("flash_bytes"), asked["runtime"], asked["board"]
        )
        try:
            capacity = what_if(device)
        except LookupFailed as error:
            raise ValidationError({"detail": [str(error)]}) from error
        rows = ranked(
            capacity,
            candidates(asked.get("model"), reference=asked["reference"]),
            ranking_of(asked),
            limits=compatibility.limits_of(asked),
            only=asked.get("only", ()),
        )
        page: Any = self.paginate_queryset(wanted(rows, asked))  # type: ignore[arg-type]  # a list
        return self.get_paginated_response([ranked_json(row) for row in page])


def ranking_of(asked: dict[str, Any]) -> Ranking:
    """What counts; accuracy where nothing else was asked for."""
    latency = asked.get("target_latency_ms")
    target = None if latency is None else LatencyTarget(latency, asked["alpha"], asked["beta"])
    return Ranking(asked.get("weights"), target)


def wanted(rows: list[RankedVariant], asked: dict[str, Any]) -> list[RankedVariant]:
    """Those with the verdict that was asked for."""
    answer = compatibility.answer_of(asked)
    return [row for row in rows if answer is None or row.verdict.answer is answer]


def ranked_json(row: RankedVariant) -> dict[str, Any]:
    """A variant as RankedVariantSerializer documents it."""
    verdict = compatibility.verdict_json(row.verdict)
    return {"id": row.variant.pk, "variant": str(row.variant), "merit": row.merit, **verdict}
