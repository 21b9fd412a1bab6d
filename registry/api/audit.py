"""/audit/: who did what; for those who may see it, and to be carried away whole."""

from __future__ import annotations

from collections.abc import Iterator

import django_filters
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from registry.api.streams import streamed
from registry.models import AuditChannel, AuditEntry, AuditOutcome
from registry.services.audit import as_csv, as_json_lines

_MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}


class AuditSerializer(serializers.ModelSerializer[AuditEntry]):
    """One act and its result."""

    class Meta:
        model = AuditEntry
        fields = ("id", "at", "actor", "channel", "action", "subject", "outcome", "detail")


class AuditFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped
    """By time, actor, way, action, subject and result."""

    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")
    actor = django_filters.CharFilter()
    channel = django_filters.ChoiceFilter(choices=AuditChannel.choices)
    action = django_filters.CharFilter(lookup_expr="icontains")
    subject = django_filters.CharFilter()
    outcome = django_filters.ChoiceFilter(choices=AuditOutcome.choices)

    class Meta:
        model = AuditEntry
        fields: tuple[str, ...] = ()


class AuditPermissions(BasePermission):
    """The permission to view audit entries, whatever is open to the public."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        return bool(user.is_authenticated and user.has_perm("registry.view_auditentry"))


class AuditViewSet(viewsets.ReadOnlyModelViewSet[AuditEntry]):
    """The audit trail, newest first."""

    queryset = AuditEntry.objects.all()
    serializer_class = AuditSerializer
    filterset_class = AuditFilter
    permission_classes = (AuditPermissions,)
    lookup_value_regex = "[0-9]{1,18}"

    @extend_schema(
        parameters=[OpenApiParameter("as", enum=list(_MEDIA_TYPES), description="csv or jsonl")],
        responses=OpenApiResponse(OpenApiTypes.STR, description="All that the filters leave"),
    )
    @action(detail=False, pagination_class=None)
    def export(self, request: Request) -> StreamingHttpResponse:
        """Everything that the filters leave, oldest first, as one file."""
        form = request.query_params.get("as", "csv")
        if form not in _MEDIA_TYPES:
            raise serializers.ValidationError({"as": [f"One of {', '.join(_MEDIA_TYPES)}."]})
        rows = self.filter_queryset(self.get_queryset())
        lines: Iterator[str] = as_csv(rows) if form == "csv" else as_json_lines(rows)
        answer = streamed(request, lines, _MEDIA_TYPES[form])
        answer["Content-Disposition"] = f'attachment; filename="audit.{form}"'
        return answer
