"""/graph/: what the knowledge graph says of a subject or of everything, as RDF to take away."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotAcceptable, NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from registry.api.negotiation import AnyAccept
from registry.api.permissions import ReadOrPublicRead
from registry.services.graph_export import (
    ExportFailed,
    ExportFormat,
    LookupFailed,
    Subject,
    every_subject,
    export,
    subject_named,
)

_MEDIA_TYPES = {form.media_type: form for form in ExportFormat}


class TooManySubjects(APIException):
    """Everything is more than one answer may hold."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_many_subjects"


class Malformed(APIException):
    """A row cannot be written."""

    status_code = status.HTTP_500_INTERNAL_SERVER_ERROR
    default_code = "malformed"


class GraphQuery(serializers.Serializer[Any]):
    """Which subjects, and in what form."""

    subject = serializers.ListField(
        child=serializers.CharField(max_length=400),
        default=list,
        help_text="KIND/KEY or the whole IRI, repeatable; left out: everything",
    )
    format = serializers.ChoiceField(
        choices=[form.value for form in ExportFormat],
        required=False,
        help_text="Instead of an Accept header",
    )


class GraphView(APIView):
    """The inventory as Turtle, N-Quads or JSON-LD, read from the rows."""

    permission_classes = [ReadOrPublicRead]
    content_negotiation_class = AnyAccept

    @extend_schema(
        operation_id="graph_export",
        parameters=[
            GraphQuery,
            OpenApiParameter("Accept", str, OpenApiParameter.HEADER, enum=list(_MEDIA_TYPES)),
        ],
        responses={(200, media_type): OpenApiTypes.STR for media_type in _MEDIA_TYPES},
    )
    def get(self, request: Request) -> HttpResponse:
        """One subject, several or everything."""
        asked = GraphQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        form = _form(request._request, asked.validated_data.get("format"))
        try:
            subjects = [subject_named(text) for text in asked.validated_data["subject"]]
            body = b"".join(export(_bounded(subjects), form))
        except LookupFailed as error:
            raise NotFound(str(error)) from error
        except ExportFailed as error:
            raise Malformed(str(error)) from error
        return HttpResponse(body, content_type=f"{form.media_type}; charset=utf-8")


def _form(request: HttpRequest, named: str | None) -> ExportFormat:
    if named is not None:
        return ExportFormat(named)
    chosen = request.get_preferred_type(list(_MEDIA_TYPES))
    if chosen is None:
        raise NotAcceptable(f"the graph answers as {', '.join(_MEDIA_TYPES)}")
    return _MEDIA_TYPES[chosen]


def _bounded(named: list[Subject]) -> list[Subject]:
    limit = settings.EXPORT_MAX_SUBJECTS
    subjects = list(islice(named or every_subject(), limit + 1))
    if len(subjects) > limit:
        raise TooManySubjects(
            f"one answer holds at most {limit:,} subjects; name some, or use manage.py export_graph"
        )
    return subjects
