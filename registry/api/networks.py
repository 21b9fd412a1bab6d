"""/models/, /releases/ and /variants/: tasks, training generations and artifacts."""

from __future__ import annotations

from typing import Any, TypeVar

import django_filters
from django.db.models import Model, QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from ontology.facts import Constraint
from ontology.matching import restrict
from registry.api import compatibility
from registry.api.filters import WholeNumberFilter
from registry.api.network_serializers import (
    ModelSerializer,
    ReleaseSerializer,
    VariantDetailSerializer,
    VariantSerializer,
)
from registry.api.techniques import (
    TechniqueAnswerSerializer,
    TechniquesQuery,
    answer_json,
    device_or_404,
    said_of,
)
from registry.api.upload import VariantUploadSerializer, register_upload
from registry.formats.model_file import FILE_SUFFIXES
from registry.models import Device, NoArtifact, RegisteredModel, Release, Variant
from registry.services.matching import devices_with, judge_profiles
from registry.services.techniques import UnknownPrecondition, techniques_for

Row = TypeVar("Row", bound=Model)


def own_unless_asked(rows: QuerySet[Row], reference: str, request: Request) -> QuerySet[Row]:
    """Reference models are listed where `reference` asks for them, or one of them is named."""
    asked = {"reference", "model", "name"} & request.query_params.keys()
    return rows if asked else rows.filter(**{reference: False})


class ModelViewSet(
    mixins.CreateModelMixin, mixins.UpdateModelMixin, viewsets.ReadOnlyModelViewSet[RegisteredModel]
):
    """Registered models: the tasks that variants solve."""

    queryset = RegisteredModel.objects.select_related("champion", "challenger")
    serializer_class = ModelSerializer
    lookup_field = "name"
    lookup_value_regex = "[-a-zA-Z0-9_]+"
    filterset_fields = ("name", "task", "reference")

    def get_queryset(self) -> QuerySet[RegisteredModel]:
        rows = super().get_queryset()
        return rows if self.action != "list" else own_unless_asked(rows, "reference", self.request)


class ReleaseFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped
    """By model and number."""

    model = django_filters.CharFilter(field_name="model__name")
    number = WholeNumberFilter()
    reference = django_filters.BooleanFilter(field_name="model__reference")

    class Meta:
        model = Release
        fields: tuple[str, ...] = ()


class ReleaseViewSet(viewsets.ReadOnlyModelViewSet[Release]):
    """Training generations with the variants that came of them."""

    queryset = Release.objects.select_related("model").prefetch_related("variants")
    serializer_class = ReleaseSerializer
    filterset_class = ReleaseFilter

    def get_queryset(self) -> QuerySet[Release]:
        rows = super().get_queryset()
        if self.action != "list":
            return rows
        return own_unless_asked(rows, "model__reference", self.request)


class VariantFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped
    """By model, release number, name, precision, artifact or the fleet's own words."""

    model = django_filters.CharFilter(field_name="release__model__name")
    release = WholeNumberFilter(field_name="release__number")
    name = django_filters.CharFilter()
    precision = django_filters.CharFilter()
    sha256 = django_filters.CharFilter(field_name="artifact")
    max_bytes = WholeNumberFilter(field_name="artifact__size_bytes", lookup_expr="lte")
    reference = django_filters.BooleanFilter(
        field_name="release__model__reference",
        help_text="Published reference models, which are left out where no model is named either",
    )

    class Meta:
        model = Variant
        fields: tuple[str, ...] = ()


class VariantViewSet(viewsets.ReadOnlyModelViewSet[Variant]):
    """Artifacts with what they need and the figures that are known of them."""

    queryset = Variant.objects.select_related("release__model", "artifact")
    serializer_class = VariantSerializer
    filterset_class = VariantFilter
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[Variant]:
        """Figures and remarks are read where they are shown; other answers do without."""
        rows = super().get_queryset()
        if self.action not in {"list", "retrieve", "create"}:
            return rows
        rows = rows.prefetch_related(*_SHOWN)
        if self.action != "list":
            return rows
        own = own_unless_asked(rows, "release__model__reference", self.request)
        return own.defer("description")

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Variant]]:
        return VariantDetailSerializer if self.action == "retrieve" else VariantSerializer

    @extend_schema(
        operation_id="variants_create",
        request={"multipart/form-data": VariantUploadSerializer},
        responses={201: VariantDetailSerializer},
    )
    def create(self, request: Request) -> Response:
        """Register a .tflite or .onnx file as a variant of a new or an existing release."""
        upload = VariantUploadSerializer(data=request.data)
        upload.is_valid(raise_exception=True)
        variant = register_upload(upload.validated_data)
        row = self.get_queryset().get(pk=variant.pk)
        return Response(VariantDetailSerializer(row).data, status=status.HTTP_201_CREATED)

    def get_parsers(self) -> list[Any]:
        return [MultiPartParser()]

    @extend_schema(
        operation_id="variants_file",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    @action(detail=True, url_path="file", filterset_class=None)
    def file(self, request: Request, pk: str) -> FileResponse:
        """The artifact's bytes, exactly as devices run them."""
        variant = self.get_object()
        try:
            artifact = variant.delivered
        except NoArtifact as error:
            raise NotFound(f"{error}.") from error
        suffix = FILE_SUFFIXES.get(artifact.media_type, "")
        name = f"{variant.release.model.name}-{variant.release.number}-{variant.name}{suffix}"
        return FileResponse(
            artifact.file.open("rb"),
            as_attachment=True,
            filename=name,
            content_type="application/octet-stream",
        )

    @extend_schema(
        operation_id="variants_compatible_devices",
        parameters=[compatibility.DeviceVerdictQuery],
        responses=compatibility.CompatibleDeviceSerializer(many=True),
    )
    @action(detail=True, url_path="compatible-devices", filterset_class=None)
    def compatible_devices(self, request: Request, pk: str) -> Response:
        """Every device that this variant fits, or on which it came to another verdict."""
        asked = compatibility.parse_query(compatibility.DeviceVerdictQuery, request)
        judged = judge_profiles(self.get_object(), compatibility.limits_of(asked))
        only = asked.get("only", Constraint)
        verdicts = {key: restrict(verdict, only) for key, verdict in judged.items()}
        devices = devices_with(_devices(asked), verdicts, compatibility.answer_of(asked))
        page: Any = self.paginate_queryset(devices)  # type: ignore[arg-type]  # of another model
        rows = [
            compatibility.device_verdict_json(device, verdicts[device.profile_id])
            for device in page
        ]
        return self.get_paginated_response(rows)

    @extend_schema(
        operation_id="variants_techniques",
        parameters=[TechniquesQuery],
        responses=TechniqueAnswerSerializer(many=True),
    )
    @action(detail=True, url_path="techniques", filterset_class=None, pagination_class=None)
    def techniques(self, request: Request, pk: str) -> Response:
        """Which techniques apply to this variant on a device, and what they achieved."""
        asked = compatibility.parse_query(TechniquesQuery, request)
        device = device_or_404(asked.get("device"))
        try:
            answers = techniques_for(self.get_object(), device, said_of(asked))
        except UnknownPrecondition as error:
            raise ValidationError({"holds": [f"{error}."]}) from error
        wanted = asked["outcome"]
        rows = [answer_json(answer) for answer in answers]
        return Response([row for row in rows if wanted in {compatibility.ANY, row["outcome"]}])


_SHOWN = (
    "measurements__runtime",
    "measurements__board",
    "measurements__device",
    "measurements__disputes__variant__release__model",
    "remarks__runtime",
    "remarks__board",
)


def _devices(asked: dict[str, Any]) -> QuerySet[Device]:
    fields = {"fleet": "fleets__slug", "board": "profile__board__slug", "status": "status"}
    conditions = {fields[name]: value for name, value in asked.items() if name in fields}
    return (
        Device.objects.filter(**conditions)
        .select_related("profile__board")
        .only("device_id", "profile__board__slug")
        .order_by("device_id")
    )
