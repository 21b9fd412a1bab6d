"""What all addresses have in common that answer in RDF or with the results of queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from ontology.query_guard import QueryRefused
from ontology.readers import QueryFailed
from registry.api.authentication import BasicOnceVerified, BearerAuthentication, SessionForReading
from registry.api.negotiation import AnyAccept
from registry.api.permissions import ReadOrPublicRead
from registry.api.problem import problem
from registry.api.sparql_request import RequestRefused
from registry.api.validators import varying

# Basic comes first: Java's own client reads no further than a header's first challenge.
_CHALLENGE = 'Basic realm="TinyFleet", charset="UTF-8", Bearer realm="TinyFleet"'
_FAILURES = {
    "syntax": (400, "The query is not well-formed"),
    "dataset": (400, "No such graph"),
    "format": (406, "Not acceptable"),
    "rows": (413, "The answer is too long"),
    "time": (503, "The query took too long"),
    "memory": (503, "The query took too much memory"),
    "busy": (503, "Too many queries at once"),
    "size": (413, "The answer is too long"),
    "store": (502, "The graph's store does not answer"),
    "failed": (502, "The query could not be answered"),
}


class ProtocolView(APIView):
    """Session, bearer token or Basic; every refusal an RFC 9457 problem; caches told what counts.

    Only for views that read: a session needs no CSRF token here.
    """

    authentication_classes = [BearerAuthentication, SessionForReading, BasicOnceVerified]
    permission_classes = [ReadOrPublicRead]
    content_negotiation_class = AnyAccept

    accept_post: tuple[str, ...] = ()  # media types of a POST's body, for OPTIONS to tell

    def get_permissions(self) -> Any:
        """Which methods there are is no secret."""
        return [AllowAny()] if self.request.method == "OPTIONS" else super().get_permissions()

    def options(self, request: Any, *args: Any, **named: Any) -> Response:
        """Nothing but headers: Allow, which every answer here has, and what may be posted."""
        posts = {"Accept-Post": ", ".join(self.accept_post)} if self.accept_post else {}
        return Response(status=204, headers=posts)

    def get_authenticate_header(self, request: Request) -> str:
        return _CHALLENGE

    def get_exception_handler(self) -> Callable[..., Any]:
        return as_problem

    def finalize_response(self, request: Request, response: Any, *args: Any, **named: Any) -> Any:
        return varying(super().finalize_response(request, response, *args, **named))


def as_problem(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """What a view raised, as a problem; None for what is nobody's request's fault."""
    if isinstance(error, RequestRefused):
        return problem(error.status, error.title, error.detail)
    if isinstance(error, QueryRefused):
        return problem(
            400, "The query is refused", error.detail, line=error.line, column=error.column
        )
    if isinstance(error, QueryFailed):
        status, title = _FAILURES[error.kind]
        said = problem(status, title, error.detail, line=error.line, column=error.column)
        if error.retry_after_s is not None:
            said["Retry-After"] = str(error.retry_after_s)
        return said
    return _of_framework(error, context)


def _of_framework(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Nobody signed in, a wrong method and the like, with the headers that belong to them."""
    said = exception_handler(error, context)
    if said is None:
        return None
    response = problem(said.status_code, said.status_text, str(said.data["detail"]))
    for name, value in said.headers.items():
        if name != "Content-Type":
            response[name] = value
    return response
