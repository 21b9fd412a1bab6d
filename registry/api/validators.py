"""Entity tags: a client that has an answer already is told so instead of being sent it again."""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers

_VARY = ("Accept", "Authorization", "Cookie")
_READING = {"GET", "HEAD"}


def validated(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The response with a strong ETag, or 304 where the client names that ETag (RFC 9110, 13.1.2).

    The tag is the digest of the bytes and their media type: it changes exactly when the answer
    does, whatever the query calls (NOW, RAND) and wherever the graph is kept. What it spares is the
    transfer, not the query. A POST has none: its answer does not stand at that address.
    """
    if request.method not in _READING or response.status_code != 200:
        return response
    digest = hashlib.sha256(response["Content-Type"].encode() + b"\n" + response.content)
    response["ETag"] = f'"{digest.hexdigest()[:32]}"'
    told = get_conditional_response(request, etag=response["ETag"], response=response)
    return told if isinstance(told, HttpResponse) else response


def varying(response: HttpResponse) -> HttpResponse:
    """Say what a cache must heed: ask again each time, and whom and what the answer was for."""
    patch_vary_headers(response, _VARY)
    public = settings.TINYFLEET_PUBLIC_READ
    response["Cache-Control"] = "no-cache" if public else "private, no-cache"
    return response
