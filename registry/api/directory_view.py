"""What all addresses of the Things directory share: who may do what, and how it is refused.

Source: W3C WoT Discovery, section 7.3.2.1.2 (error responses are problems, RFC 9457).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from registry.api.negotiation import AnyAccept
from registry.api.permissions import ThingPermissions
from registry.api.problem import problem
from registry.services.thing_directory import (
    ChangedMeanwhile,
    DescriptionError,
    NameTaken,
    NotRegistered,
)

log = structlog.get_logger(__name__)

_CHALLENGE = 'Basic realm="TinyFleet", charset="UTF-8", Bearer realm="TinyFleet"'


class DirectoryView(APIView):
    """Session, bearer token or Basic; every refusal and failure is a problem."""

    permission_classes = [ThingPermissions]
    content_negotiation_class = AnyAccept

    accept_post: tuple[str, ...] = ()  # media types of bodies, for OPTIONS to tell
    accept_patch: tuple[str, ...] = ()

    def options(self, request: Any, *args: Any, **named: Any) -> Response:
        """Nothing but headers: Allow, which every answer here has, and what may be sent."""
        taken = {"Accept-Post": self.accept_post, "Accept-Patch": self.accept_patch}
        headers = {name: ", ".join(types) for name, types in taken.items() if types}
        return Response(status=204, headers=headers)

    def get_authenticate_header(self, request: Request) -> str:
        return _CHALLENGE

    def get_exception_handler(self) -> Callable[..., Any]:
        return as_problem


class NowhereView(DirectoryView):
    """Addresses under the directory's that mean nothing."""

    def initial(self, request: Request, *args: Any, **named: Any) -> None:
        """404 to whoever may read, whatever the method."""
        super().initial(request, *args, **named)
        raise exceptions.NotFound(f"There is nothing at {request.path[:200]}.")


def as_problem(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """What a view raised, as a problem whose title is the status's own phrase."""
    if isinstance(error, DescriptionError):
        return invalid(error)
    if isinstance(error, NotRegistered):
        detail = f"There is no thing {str(error)[:200]} in the directory."
        return problem(404, HTTPStatus(404).phrase, detail)
    if isinstance(error, NameTaken):
        return problem(409, HTTPStatus(409).phrase, f"{error}.")
    if isinstance(error, ChangedMeanwhile):
        return problem(412, HTTPStatus(412).phrase, f"{error}.")
    return _of_framework(error, context)


def invalid(error: DescriptionError) -> HttpResponse:
    """400 for a description, saying where and what and how to mend it (section 7.3.2.2.6)."""
    place = error.pointer or "(root)"
    reason = {"field": place, "description": f"{error.problem}. {error.remedy}."}
    detail = "The Thing Description is not valid."
    return problem(400, HTTPStatus(400).phrase, detail, validationErrors=[reason])


def _of_framework(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """Nobody signed in, a wrong method and the like; what nobody foresaw is logged, not told."""
    said = exception_handler(error, dict(context))
    if said is None:
        log.exception("directory_request_failed", path=context["request"].path, exc_info=error)
        return problem(500, HTTPStatus(500).phrase, "The log of the web process says why.")
    response = problem(
        said.status_code, HTTPStatus(said.status_code).phrase, str(said.data["detail"])
    )
    for name, value in said.headers.items():
        if name != "Content-Type":
            response[name] = value
    return response
