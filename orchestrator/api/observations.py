"""/telemetry/, /jobs/, /drift-alerts/, /learning-tasks/: what was seen and done; read-only."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from rest_framework import serializers, viewsets

from orchestrator.models import (
    DriftAlert,
    Job,
    JobStatus,
    LearningStatus,
    LearningTask,
    Telemetry,
)
from registry.api.fields import ObjectField, ShapeField
from registry.api.filters import WholeNumberFilter


class TelemetrySerializer(serializers.ModelSerializer[Telemetry]):
    """One kept pack; accuracy is a fraction over `labelled`, sizes are bytes."""

    device = serializers.SlugRelatedField[Any](slug_field="device_id", read_only=True)
    variant = serializers.StringRelatedField[Any](allow_null=True)

    class Meta:
        model = Telemetry
        fields: tuple[str, ...] = (
            "id",
            "device",
            "variant",
            "boot",
            "sequence",
            "at",
            "received_at",
            "samples",
            "labelled",
            "accuracy",
            "latency_ms",
            "arena_used_bytes",
            "free_heap_bytes",
            "adapted_samples",
        )


class TelemetryDetailSerializer(TelemetrySerializer):
    """One kept pack with its SenML records as they came."""

    records = serializers.ListField(child=ObjectField())

    class Meta(TelemetrySerializer.Meta):
        fields = (*TelemetrySerializer.Meta.fields, "records")


class TelemetryFilter(django_filters.FilterSet):
    """By device, variant and the time of receipt."""

    device = django_filters.CharFilter(field_name="device__device_id")
    variant = WholeNumberFilter(field_name="variant")
    since = django_filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="lt")

    class Meta:
        model = Telemetry
        fields: tuple[str, ...] = ()


class TelemetryViewSet(viewsets.ReadOnlyModelViewSet[Telemetry]):
    """What devices measured, newest first."""

    queryset = Telemetry.objects.select_related("device", "variant__release__model")
    serializer_class = TelemetrySerializer
    filterset_class = TelemetryFilter
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Telemetry]:
        rows = super().get_queryset().defer("device__td")
        return rows.defer("records") if self.action == "list" else rows

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Telemetry]]:
        return TelemetryDetailSerializer if self.action == "retrieve" else TelemetrySerializer


class JobSerializer(serializers.ModelSerializer[Job]):
    """One piece of long work; progress is a fraction, `error` the last line of what broke it.

    The traceback names paths and values of the server, so it stays in the admin and in the log.
    """

    payload = ObjectField()
    result = ObjectField(allow_null=True)
    error = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = (
            "id",
            "kind",
            "payload",
            "status",
            "progress",
            "message",
            "result",
            "error",
            "attempts",
            "owner",
            "lease_until",
            "created_at",
            "finished_at",
        )

    def get_error(self, job: Job) -> str:
        """The last line: the exception and its sentence."""
        lines = job.error.strip().splitlines()
        return lines[-1].strip() if lines else ""


class JobFilter(django_filters.FilterSet):
    """By kind and status."""

    kind = django_filters.CharFilter()
    status = django_filters.ChoiceFilter(choices=JobStatus.choices)

    class Meta:
        model = Job
        fields: tuple[str, ...] = ()


class JobViewSet(viewsets.ReadOnlyModelViewSet[Job]):
    """What workers did, do and will do, newest first."""

    queryset = Job.objects.all()
    serializer_class = JobSerializer
    filterset_class = JobFilter
    lookup_value_regex = "[0-9]{1,18}"


class DriftAlertSerializer(serializers.ModelSerializer[DriftAlert]):
    """A change of a device's stream; accuracies are fractions."""

    device = serializers.SlugRelatedField[Any](slug_field="device_id", read_only=True)
    variant = serializers.StringRelatedField[Any]()

    class Meta:
        model = DriftAlert
        fields = (
            "id",
            "device",
            "variant",
            "detector",
            "detected_at",
            "first_telemetry",
            "last_telemetry",
            "accuracy_before",
            "accuracy_after",
        )


class DriftAlertFilter(django_filters.FilterSet):
    """By device and variant."""

    device = django_filters.CharFilter(field_name="device__device_id")
    variant = WholeNumberFilter(field_name="variant")

    class Meta:
        model = DriftAlert
        fields: tuple[str, ...] = ()


class DriftAlertViewSet(viewsets.ReadOnlyModelViewSet[DriftAlert]):
    """Where a stream no longer is what it was, newest first."""

    queryset = DriftAlert.objects.select_related("device", "variant__release__model").defer(
        "device__td"
    )
    serializer_class = DriftAlertSerializer
    filterset_class = DriftAlertFilter
    lookup_value_regex = "[0-9]{1,18}"


class LearningTaskSerializer(serializers.ModelSerializer[LearningTask]):
    """An order to learn and what came of it, without the weights."""

    device = serializers.SlugRelatedField[Any](slug_field="device_id", read_only=True)
    variant = serializers.StringRelatedField[Any]()
    parameters = ObjectField()
    weights_shape = ShapeField(allow_null=True)

    class Meta:
        model = LearningTask
        fields = (
            "id",
            "device",
            "variant",
            "alert",
            "method",
            "parameters",
            "status",
            "detail",
            "samples",
            "accuracy_before",
            "accuracy_after",
            "training_bytes",
            "weights_shape",
            "mlflow_run_id",
            "created_at",
            "finished_at",
        )


class LearningTaskFilter(django_filters.FilterSet):
    """By device, variant, alert and status."""

    device = django_filters.CharFilter(field_name="device__device_id")
    variant = WholeNumberFilter(field_name="variant")
    alert = WholeNumberFilter(field_name="alert")
    status = django_filters.ChoiceFilter(choices=LearningStatus.choices)

    class Meta:
        model = LearningTask
        fields: tuple[str, ...] = ()


class LearningTaskViewSet(viewsets.ReadOnlyModelViewSet[LearningTask]):
    """Learning on devices, newest first."""

    queryset = LearningTask.objects.select_related("device", "variant__release__model").defer(
        "device__td", "envelope", "weights"
    )
    serializer_class = LearningTaskSerializer
    filterset_class = LearningTaskFilter
