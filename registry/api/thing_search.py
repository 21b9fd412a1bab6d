"""/search: the knowledge graph by SPARQL, the descriptions themselves by JSONPath.

Source: W3C WoT Discovery, section 7.3.2.4 (Search API).
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from registry.api.directory_view import DirectoryView, as_problem
from registry.api.problem import problem
from registry.api.sparql import SparqlView
from registry.api.thing_requests import BadRequest, NotSupported, answer_type
from registry.services.query_limits import asker
from registry.services.thing_search import SearchFailed, by_jsonpath

_FAILURES = {
    "syntax": 400,
    "long": 400,
    "things": 413,
    "answer": 413,
    "time": 503,
    "memory": 503,
    "busy": 503,
}
# What an answer is called where the client does not care (section 7.3.2.4.3).
_DEFAULT_ACCEPT = "application/ld+json, application/json;q=0.9"


@extend_schema(exclude=True)
class SearchSparqlView(SparqlView):
    """As /sparql, but JSON is what it answers where nothing is asked for."""

    def initialize_request(self, request: HttpRequest, *args: Any, **named: Any) -> Request:
        if request.META.get("HTTP_ACCEPT", "").strip() in {"", "*/*"}:
            request.META["HTTP_ACCEPT"] = _DEFAULT_ACCEPT
            vars(request).pop("headers", None)  # what was read of META before
        return super().initialize_request(request, *args, **named)


class SearchJsonPathView(DirectoryView):
    """JSONPath over the array of all descriptions."""

    @extend_schema(
        operation_id="things_search_jsonpath",
        tags=["things"],
        parameters=[OpenApiParameter("query", str, required=True, description="RFC 9535")],
        responses={(200, "application/json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> HttpResponse:
        """What the query finds, as an array."""
        query = request.query_params.get("query")
        if not query:
            raise BadRequest("Give the parameter query, such as $[?@.title == 'Lamp'].")
        media_type = answer_type(request, ("application/json",))
        found = by_jsonpath(query, asker(request.user).name)
        return HttpResponse(found, content_type=media_type)

    def get_exception_handler(self) -> Callable[..., Any]:
        return _as_problem


class SearchXPathView(DirectoryView):
    """What W3C's Thing Model has as an option and this directory has not."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """501."""
        raise NotSupported("There is no search by XPath; use /search/jsonpath or /search/sparql.")


def _as_problem(error: Exception, context: dict[str, Any]) -> HttpResponse:
    if isinstance(error, SearchFailed):
        status = HTTPStatus(_FAILURES[error.kind])
        said = problem(status, status.phrase, f"{error}.")
        if error.retry_after_s is not None:
            said["Retry-After"] = str(error.retry_after_s)
        return said
    return as_problem(error, context)
