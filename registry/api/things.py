"""/things: the descriptions in the directory, one by one and in pages.

Source: W3C WoT Discovery, section 7.3.2.2 (Things API); paths as in W3C's directory Thing Model.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from django.http import HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.gzip import gzip_page
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from registry.api.directory_view import DirectoryView
from registry.api.thing_requests import (
    DESCRIPTION_TYPES,
    FORMATS,
    LIST_TYPES,
    PATCH_TYPES,
    PageQuery,
    answer_type,
    body_of,
    local_part,
    precondition,
)
from registry.formats.td.registration import DISCOVERY
from registry.models import ThingRegistration
from registry.services import thing_directory
from registry.services.registrations import exposed

_TAGS = ["things"]
_ID = OpenApiParameter("thing_id", str, OpenApiParameter.PATH, description="The TD's id, an IRI")
_DONE = OpenApiResponse(description="Done")
_BODY = dict.fromkeys(DESCRIPTION_TYPES, OpenApiTypes.OBJECT)


@method_decorator(gzip_page, name="dispatch")
class ThingsView(DirectoryView):
    """The collection."""

    accept_post = DESCRIPTION_TYPES

    @extend_schema(
        operation_id="things_list",
        tags=_TAGS,
        parameters=[
            OpenApiParameter("limit", int, description="Things in a page"),
            OpenApiParameter("offset", int, description="Things to pass over"),
            OpenApiParameter("after", str, description="Begin behind this id; in next links"),
            OpenApiParameter("format", str, enum=FORMATS, description="array by default"),
        ],
        responses={(200, media_type): OpenApiTypes.OBJECT for media_type in LIST_TYPES},
    )
    def get(self, request: Request) -> HttpResponse:
        """A page of descriptions in the order of their ids."""
        asked = PageQuery.of(request)
        media_type = answer_type(request, LIST_TYPES)
        page = thing_directory.page(asked.size, asked.offset, asked.after)
        things = thing_directory.exposed_all(page.rows, timezone.now())
        following = _next(asked, page)
        body: Any = things
        if asked.form == "collection":
            body = _collection(asked, page, things, following)
        response = _json(body, media_type)
        links = [] if following is None else [f'<{following}>; rel="next"']
        response["Link"] = ", ".join([*links, f'</things>; rel="canonical"; etag="{page.state}"'])
        return response

    @extend_schema(
        operation_id="things_create_anonymous",
        tags=_TAGS,
        request=_BODY,
        responses={201: OpenApiResponse(description="Location: the new thing")},
    )
    def post(self, request: Request) -> HttpResponse:
        """Register a description that has no id."""
        row = thing_directory.create_anonymous(body_of(request, DESCRIPTION_TYPES))
        return _located(_empty(201, row), row)


@method_decorator(gzip_page, name="dispatch")
class ThingView(DirectoryView):
    """One description by its id, or by the local one that it was given."""

    accept_patch = PATCH_TYPES

    @extend_schema(
        operation_id="things_retrieve",
        tags=_TAGS,
        parameters=[_ID],
        responses={
            **{(200, media_type): OpenApiTypes.OBJECT for media_type in DESCRIPTION_TYPES},
            304: OpenApiResponse(description="The client has this state already"),
        },
    )
    def get(self, request: Request, thing_id: str) -> HttpResponse:
        """The description as it came, with its id and its registration."""
        media_type = answer_type(request, DESCRIPTION_TYPES)
        row = thing_directory.find(local_part(request._request, thing_id))
        asked = precondition(request)
        asked.check_match(row)
        if asked.excludes(row):
            return _checked_anew(_empty(304, row))
        response = _json(exposed(row, retrieved=timezone.now()), media_type)
        response["ETag"] = _tag(row)
        return response

    @extend_schema(
        operation_id="things_put",
        tags=_TAGS,
        parameters=[_ID],
        request=_BODY,
        responses={201: OpenApiResponse(description="Registered"), 204: _DONE},
    )
    def put(self, request: Request, thing_id: str) -> HttpResponse:
        """Register a description under its id, or replace it.

        No ETag: what stands there now is not what was sent but that with its registration, and a
        tag would say that the client has it (RFC 9110, section 9.3.4).
        """
        body = body_of(request, DESCRIPTION_TYPES)
        saved = thing_directory.put(thing_id, body, precondition(request))
        return _located(_empty(201), saved.row) if saved.is_new else _empty(204)

    @extend_schema(
        operation_id="things_patch",
        tags=_TAGS,
        parameters=[_ID],
        request=dict.fromkeys(PATCH_TYPES, OpenApiTypes.OBJECT),
        responses={204: _DONE},
    )
    def patch(self, request: Request, thing_id: str) -> HttpResponse:
        """Change parts of a description: a JSON merge patch (RFC 7396)."""
        body = body_of(request, PATCH_TYPES)
        return _empty(204, thing_directory.patch(thing_id, body, precondition(request)))

    @extend_schema(
        operation_id="things_delete", tags=_TAGS, parameters=[_ID], responses={204: _DONE}
    )
    def delete(self, request: Request, thing_id: str) -> HttpResponse:
        """End a registration. A device that was decided on stays in the inventory."""
        thing_directory.delete(thing_id, precondition(request))
        return _empty(204)


def _json(body: Any, media_type: str) -> HttpResponse:
    text = json.dumps(body, ensure_ascii=False)
    return _checked_anew(HttpResponse(text, content_type=media_type))


def _checked_anew(response: HttpResponse) -> HttpResponse:
    """With what a cache must heed: what the answer depends on, and to ask before it gives it."""
    response["Vary"] = "Accept, Accept-Encoding"
    response["Cache-Control"] = "no-cache"
    return response


def _located(response: HttpResponse, row: ThingRegistration) -> HttpResponse:
    response["Location"] = f"/things/{quote(row.thing_id, safe=':')}"
    return response


def _empty(status: int, row: ThingRegistration | None = None) -> HttpResponse:
    """No body, so no type of one; the state that the thing is in now, if it is to be told."""
    response = HttpResponse(status=status)
    del response["Content-Type"]
    if row is not None:
        response["ETag"] = _tag(row)
    return response


def _tag(row: ThingRegistration) -> str:
    return f'"{thing_directory.state_of(row)}"'


def _next(asked: PageQuery, page: thing_directory.Page) -> str | None:
    """The page behind this one: by its place in the whole, and by the id that it begins behind."""
    if not page.more:
        return None
    return asked.address(asked.offset + len(page.rows), page.rows[-1].thing_id)


def _collection(
    asked: PageQuery, page: thing_directory.Page, things: list[Any], following: str | None
) -> dict[str, Any]:
    """The verbose form of a page (section 7.3.2.2.5)."""
    body: dict[str, Any] = {
        "@context": DISCOVERY,
        "@type": "ThingCollection",
        "@id": asked.address(asked.offset, asked.after),
        "total": page.total,
        "members": things,
    }
    return body if following is None else body | {"next": following}
