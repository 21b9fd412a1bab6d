"""Answers of any length: lines leave while the next ones are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import StreamingHttpResponse
from rest_framework.request import Request

_LINES = 1000


def streamed(request: Request, lines: Iterator[str], media_type: str) -> StreamingHttpResponse:
    """Answer with `lines`, of which no more than a piece is held, whatever serves the request.

    Django reads an iterator of the other kind to its end before the first byte leaves: an
    asynchronous server needs an asynchronous one.
    """
    asynchronous = isinstance(request._request, ASGIRequest)
    content = _pieces(lines) if asynchronous else lines
    return StreamingHttpResponse(content, content_type=media_type)


async def _pieces(lines: Iterator[str]) -> AsyncIterator[str]:
    """Reading asks the database, which is done in the request's own thread."""
    while piece := await sync_to_async(_piece)(lines):
        yield piece


def _piece(lines: Iterator[str]) -> str:
    return "".join(islice(lines, _LINES))
