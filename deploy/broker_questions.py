"""What a broker asks before it lets a client do something, read from an HTTP request.

Brokers differ in the names and codes that they send: EMQX 5 sends `action` in words; EMQX 4, NanoMQ
and Mosquitto's go-auth plug-in send a number as `access` or `acc`: 1 to read, 2 to write, 3 for
both, 4 to subscribe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpRequest

from deploy.broker_rules import Access

MAX_BODY_BYTES = 8 * 1024

_ACCESSES: Mapping[str, frozenset[Access]] = {
    "publish": frozenset({Access.WRITE}),
    "subscribe": frozenset({Access.READ}),
    "1": frozenset({Access.READ}),
    "2": frozenset({Access.WRITE}),
    "3": frozenset(Access),
    "4": frozenset({Access.READ}),
}


class QuestionError(ValueError):
    """A request that asks nothing that can be answered; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """May this client sign in?"""

    user: str
    client: str
    secret: str


@dataclass(frozen=True, slots=True)
class Use:
    """May this client publish to the topic, or subscribe to the filter?"""

    user: str
    client: str
    accesses: frozenset[Access]
    topic: str


def read_sign_in(request: HttpRequest) -> SignIn:
    """A question about a connection; QuestionError."""
    fields = _fields(request)
    return SignIn(
        _text(fields, "username"),
        _text(fields, "clientid"),
        _text(fields, "password", may_be_empty=True),
    )


def read_use(request: HttpRequest) -> Use:
    """A question about a topic; QuestionError."""
    fields = _fields(request)
    named = next((name for name in ("action", "access", "acc") if name in fields), "action")
    accesses = _ACCESSES.get(str(fields.get(named)))
    if accesses is None:
        raise QuestionError(f"{named} must be publish or subscribe, or a number from 1 to 4")
    user, client = _text(fields, "username"), _text(fields, "clientid")
    return Use(user, client, accesses, _text(fields, "topic"))


def _fields(request: HttpRequest) -> Mapping[str, Any]:
    if int(request.headers.get("Content-Length") or 0) > MAX_BODY_BYTES:
        raise QuestionError(f"the body has more than {MAX_BODY_BYTES} bytes")
    if request.content_type != "application/json":
        return request.POST.dict()
    try:
        fields = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise QuestionError(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise QuestionError("the body is no JSON object")
    return fields


def _text(fields: Mapping[str, Any], name: str, *, may_be_empty: bool = False) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not (value or may_be_empty):
        raise QuestionError(f"{name} is missing, or no text")
    return value
