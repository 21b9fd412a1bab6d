"""/events: what happens to registrations, as server-sent events.

The view decides who may listen and to what. The stream itself is the ASGI application's: Django
keeps a thread for as long as a request is under way, and listeners stay for hours.

Source: W3C WoT Discovery, section 7.3.2.3 (Notification API).
"""

from __future__ import annotations

import re

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from registry.api.directory_view import DirectoryView
from registry.api.thing_requests import answer_type, yes_or_no
from registry.models import ThingEventKind
from registry.services.thing_feed import STREAM_HEADER, Subscription

EVENT_STREAM = "text/event-stream"
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)


class EventsView(DirectoryView):
    """A stream of events of every kind."""

    kinds = tuple(ThingEventKind.values)

    @extend_schema(
        operation_id="things_events",
        tags=["things"],
        parameters=[
            OpenApiParameter(
                "diff", bool, description="Whole descriptions when created, merge patches later"
            ),
            OpenApiParameter("Last-Event-ID", str, OpenApiParameter.HEADER),
        ],
        responses={(200, EVENT_STREAM): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        """What happens from now on, or after the event that Last-Event-ID names."""
        answer_type(request, (EVENT_STREAM,))
        subscription = Subscription(self.kinds, yes_or_no(request, "diff"), _last_known(request))
        response = HttpResponse(content_type=EVENT_STREAM)
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"  # or nginx keeps events to itself
        if request.method != "HEAD":
            response[STREAM_HEADER] = subscription.to_text()
        return response


@extend_schema(exclude=True)
class EventsOfOneKindView(EventsView):
    """The same of one kind, which stands in the address."""


def _last_known(request: Request) -> int | None:
    """What is no number of ours is of another server: the client starts from now."""
    text = request.headers.get("Last-Event-ID", "").strip()
    return int(text) if _NUMBER.fullmatch(text) else None
