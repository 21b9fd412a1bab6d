"""/.well-known/wot: the directory's own Thing Description, open to all.

The affordances are those of W3C's directory Thing Model that this directory has; forms and security
are its own.

Source: W3C WoT Discovery, sections 6.2 and 7.3.1, and its directory Thing Model.
"""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from registry.api.directory_view import DirectoryView
from registry.api.thing_requests import DESCRIPTION_TYPES, answer_type
from registry.formats.td.context import TD_1_1
from registry.formats.td.registration import DISCOVERY

_PROBLEM = "application/problem+json"
_ID = {
    "id": {
        "@type": "ThingID",
        "title": "Thing Description ID",
        "type": "string",
        "format": "iri-reference",
    }
}
_OBJECT = {"description": "The schema is implied by the content type", "type": "object"}


class DirectoryDescriptionView(DirectoryView):
    """What whoever looks for a directory finds first."""

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="directory_description",
        tags=["things"],
        responses={(200, media_type): OpenApiTypes.OBJECT for media_type in DESCRIPTION_TYPES},
    )
    def get(self, request: Request) -> HttpResponse:
        """The directory as a thing."""
        media_type = answer_type(request, DESCRIPTION_TYPES)
        base = request.build_absolute_uri("/")
        return HttpResponse(json.dumps(description(base)), content_type=media_type)


def description(base: str) -> dict[str, Any]:
    """The directory at an absolute address."""
    return {
        "@context": [TD_1_1, DISCOVERY],
        "@type": "ThingDirectory",
        "title": "TinyFleet Things directory",
        "description": "Thing Descriptions of the devices of this installation",
        "version": {"instance": settings.SPECTACULAR_SETTINGS["VERSION"], "model": "1.0.0"},
        "base": base,
        "securityDefinitions": {
            "basic": {"scheme": "basic", "in": "header"},
            "bearer": {"scheme": "bearer", "in": "header", "format": "opaque"},
            "account": {"scheme": "combo", "oneOf": ["basic", "bearer"]},
            "open": {"scheme": "nosec"},
        },
        "security": "account",
        "properties": {"things": _things()},
        "actions": _writing() | _reading(),
        "events": _events(),
    }


def _form(
    method: str, href: str, status: int, content_type: str = "application/td+json", **more: Any
) -> dict[str, Any]:
    """A form with what a success says; refusals are problems.

    A response states its content type even where it has no content (TD 1.1, section 5.3.4.2).
    """
    response: dict[str, Any] = {
        "description": "Success response",
        "contentType": content_type,
        "htv:statusCodeValue": status,
    }
    refusals = [
        {"contentType": _PROBLEM, "htv:statusCodeValue": code, "success": False}
        for code in more.pop("refusals", (400, 404))
    ]
    form = {"href": href, "htv:methodName": method, "response": response}
    return form | {"additionalResponses": refusals} | more


def _open_reading() -> dict[str, Any]:
    """What a form for reading says of security beyond the thing's own."""
    return {"security": "open"} if settings.TINYFLEET_PUBLIC_READ else {}


def _things() -> dict[str, Any]:
    form = _form("GET", "things{?offset,limit,format}", 200, "application/ld+json", refusals=(400,))
    form["response"]["htv:headers"] = [{"htv:fieldName": "Link"}]
    thing = {"description": "Thing Description", "type": "object"}
    return {
        "description": "Retrieve all Thing Descriptions",
        "readOnly": True,
        "oneOf": [
            {"description": "Plain list of descriptions", "type": "array", "items": thing},
            {"description": "Payload with pagination information", **_collection(thing)},
        ],
        "uriVariables": {
            "offset": {"title": "TDs to skip before the page", "type": "number", "default": 0},
            "limit": {"title": "Number of TDs in a page", "type": "number"},
            "format": {
                "title": "Payload format",
                "type": "string",
                "enum": ["array", "collection"],
                "default": "array",
            },
        },
        "forms": [form | _open_reading()],
    }


def _collection(thing: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "@context": {"const": DISCOVERY},
            "@type": {"const": "ThingCollection"},
            "@id": {"description": "URI of this collection", "type": "string"},
            "members": {"type": "array", "items": thing},
            "total": {"description": "Number of TDs in the collection", "type": "number"},
            "next": {"description": "URI of the next page", "type": "string"},
        },
    }


def _writing() -> dict[str, Any]:
    td = {"contentType": "application/td+json"}
    patch = {"contentType": "application/merge-patch+json"}
    location = {"htv:headers": [{"htv:fieldName": "Location"}]}
    anonymous = _form("POST", "things", 201, refusals=(400,), **td)
    anonymous["response"] |= location
    one = {"uriVariables": _ID, "input": _OBJECT}
    return {
        "createThing": {
            "description": "Create a Thing Description",
            **one,
            "forms": [_form("PUT", "things/{id}", 201, refusals=(400,), **td)],
        },
        "createAnonymousThing": {
            "description": "Create an anonymous Thing Description",
            "input": _OBJECT,
            "forms": [anonymous],
        },
        "updateThing": {
            "description": "Update a Thing Description",
            **one,
            "forms": [_form("PUT", "things/{id}", 204, refusals=(400,), **td)],
        },
        "partiallyUpdateThing": {
            "description": "Partially update a Thing Description",
            **one,
            "forms": [_form("PATCH", "things/{id}", 204, **patch)],
        },
        "deleteThing": {
            "description": "Delete a Thing Description",
            "uriVariables": _ID,
            "forms": [_form("DELETE", "things/{id}", 204, refusals=(404,))],
        },
    }


def _reading() -> dict[str, Any]:
    safe = {"safe": True, "idempotent": True}
    retrieve = _form("GET", "things/{id}", 200, "application/td+json", refusals=(404,))
    return {
        "retrieveThing": {
            "description": "Retrieve a Thing Description",
            "uriVariables": _ID,
            "output": _OBJECT,
            **safe,
            "forms": [retrieve | _open_reading()],
        },
        "searchJSONPath": {
            "description": "JSONPath syntactic search (RFC 9535)",
            **_search("JSONPath expression", "GET", "search/jsonpath{?query}"),
        },
        "searchSPARQL": {
            "description": "SPARQL semantic search",
            **_search("SPARQL 1.1 query", "GET", "search/sparql{?query}"),
        },
    }


def _search(title: str, method: str, href: str) -> dict[str, Any]:
    form = _form(method, href, 200, "application/json", refusals=(400,))
    return {
        "uriVariables": {"query": {"title": f"A valid {title}", "type": "string"}},
        "output": {"description": "The schema depends on the given query", "type": "object"},
        "safe": True,
        "idempotent": True,
        "forms": [form | _open_reading()],
    }


def _events() -> dict[str, Any]:
    whole = {"diff": {"description": "Receive the full created TD", "type": "boolean"}}
    parts = {"diff": {"description": "Include TD changes inside event data", "type": "boolean"}}
    merge_patch = {"contentMediaType": "application/merge-patch+json"}
    return {
        "thingCreated": {
            "description": "Registration of Thing Descriptions inside the directory",
            "uriVariables": whole,
            **_event("Partial/Full TD", "events/thing_created{?diff}"),
        },
        "thingUpdated": {
            "description": "Updates to Thing Descriptions within the directory",
            "uriVariables": parts,
            **_event("Partial TD", "events/thing_updated{?diff}", **merge_patch),
        },
        "thingDeleted": {
            "description": "Deletion of Thing Descriptions from the directory",
            **_event("Partial TD", "events/thing_deleted"),
        },
    }


def _event(title: str, href: str, **schema: str) -> dict[str, Any]:
    form = {
        "op": "subscribeevent",
        "href": href,
        "subprotocol": "sse",
        "htv:headers": [
            {
                "description": "ID of the last event for reconnection",
                "htv:fieldName": "Last-Event-ID",
            }
        ],
        "response": {"contentType": "text/event-stream"},
    }
    data = {"title": title, "type": "object", **schema}
    return {"data": data, "forms": [form | _open_reading()]}
