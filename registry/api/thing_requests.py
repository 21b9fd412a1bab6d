"""What a client of the Things directory asks: bodies, media types, ids, preconditions, pages."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest
from django.utils.http import parse_etags
from rest_framework import status
from rest_framework.exceptions import APIException, NotAcceptable, UnsupportedMediaType
from rest_framework.request import Request

from registry.api.accept import preferred
from registry.services.thing_directory import Precondition

DESCRIPTION_TYPES = ("application/td+json", "application/ld+json", "application/json")
LIST_TYPES = ("application/ld+json", "application/json")
PATCH_TYPES = ("application/merge-patch+json",)
FORMATS = ("array", "collection")
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)


class BadRequest(APIException):
    """400: a parameter or header that means nothing here; the detail says which."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "bad_request"


class BodyTooLarge(APIException):
    """413: more bytes than a description may have."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class NotSupported(APIException):
    """501: the standard knows this, and this directory does not have it."""

    status_code = status.HTTP_501_NOT_IMPLEMENTED
    default_code = "not_implemented"


def body_of(request: Request, accepted: tuple[str, ...]) -> bytes:
    """The body of a request, of one of the accepted media types, unpacked if it came packed.

    A missing Content-Type counts as the first. Raises 413 beyond DESCRIPTION_MAX_BYTES and 415.
    """
    given = (request.headers.get("Content-Type") or accepted[0]).partition(";")[0].strip().lower()
    if given not in accepted:
        detail = f"{given!r} is not taken here; send {', '.join(accepted)}."
        raise UnsupportedMediaType(given, detail)
    limit = settings.DESCRIPTION_MAX_BYTES
    data = request._request.read(limit + 1)
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in {"gzip", "identity"}:
        raise UnsupportedMediaType(coding, f"{coding!r} is no coding that is known here; use gzip.")
    if coding == "gzip" and len(data) <= limit:  # a longer one was not read to its end
        data = _unpacked(data, limit)
    if len(data) > limit:
        raise BodyTooLarge(
            f"The description has more than the {limit} bytes allowed. Shorten it, or raise"
            " TINYFLEET_DESCRIPTION_MAX_BYTES."
        )
    return data


def _unpacked(data: bytes, limit: int) -> bytes:
    """At most one byte more than the limit: what is packed may be a bomb.

    One member of RFC 1952 and nothing behind it: half a body, or one and a half, is none.
    """
    reader = zlib.decompressobj(wbits=31)
    try:
        unpacked = reader.decompress(data, limit + 1)
    except zlib.error as error:
        raise BadRequest("The body is not what gzip makes.") from error
    if len(unpacked) > limit:
        return unpacked
    if not reader.eof:
        raise BadRequest("The packed body is cut off before its end; send it whole.")
    if reader.unused_data:
        raise BadRequest("Other bytes follow the packed body; send one gzip member alone.")
    return unpacked


def answer_type(request: Request, offered: tuple[str, ...]) -> str:
    """The media type of the answer by the Accept header, or 406."""
    chosen = preferred(request.headers.get("Accept"), offered)
    if chosen is None:
        raise NotAcceptable(f"Descriptions are given as {', '.join(offered)}.")
    return chosen


def precondition(request: Request) -> Precondition:
    """If-Match and If-None-Match (RFC 9110, sections 13.1.1 and 13.1.2).

    A tag that became weak because the answer was packed on its way still names the same state.
    """
    match = request.headers.get("If-Match")
    tags = parse_etags(match or "")
    other_tags = parse_etags(request.headers.get("If-None-Match", ""))
    return Precondition(
        states=None if match is None or tags == ["*"] else _bare(tags),
        must_exist=tags == ["*"],
        other_states=_bare(other_tags),
        only_new=other_tags == ["*"],
    )


def _bare(tags: list[str]) -> set[str]:
    return {tag.removeprefix("W/").strip('"') for tag in tags}


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which part of the collection, and in what form."""

    limit: int | None
    offset: int
    after: str | None
    form: str

    @classmethod
    def of(cls, request: Request) -> PageQuery:
        """From the address; raises 400 for values that mean nothing, 501 for sorting."""
        for name in ("sort_by", "sort_order"):
            if name in request.query_params:
                detail = f"{name} is not supported: things come in the order of their ids."
                raise NotSupported(detail)
        form = request.query_params.get("format", "array")
        if form not in FORMATS:
            raise BadRequest(f"format is {form[:40]!r}, neither array nor collection.")
        after = request.query_params.get("after")
        if after is not None and "\0" in after:
            raise BadRequest("after holds the character U+0000.")
        limit = _whole_number(request, "limit", 1)
        return cls(limit, _whole_number(request, "offset", 0) or 0, after, form)

    @property
    def size(self) -> int:
        """How many things the page has at most."""
        most: int = settings.THINGS_PAGE_MAX
        return most if self.limit is None else min(self.limit, most)

    def address(self, offset: int, after: str | None) -> str:
        """The address of another page of the same form, relative to the server."""
        parts = [f"offset={offset}", f"limit={self.size}"]
        if self.form != "array":
            parts.append(f"format={self.form}")
        if after is not None:
            parts.append(f"after={quote(after, safe='')}")
        return f"/things?{'&'.join(parts)}"


def _whole_number(request: Request, name: str, least: int) -> int | None:
    raw = request.query_params.get(name)
    if raw is None:
        return None
    if not _NUMBER.fullmatch(raw) or int(raw) < least:
        raise BadRequest(f"{name} is {raw[:40]!r}, no whole number from {least} up.")
    return int(raw)


def yes_or_no(request: Request, name: str) -> bool:
    """A parameter that is true or false; false where it is not given. Raises 400."""
    raw = request.query_params.get(name, "false").lower()
    if raw not in {"true", "false", "1", "0", ""}:
        raise BadRequest(f"{name} is {raw[:40]!r}, neither true nor false.")
    return raw in {"true", "1"}


def local_part(request: HttpRequest, thing_id: str) -> str:
    """The id within an address of our own that a client gives whole in place of the id alone."""
    return thing_id.removeprefix(request.build_absolute_uri("/things/"))
