"""/broker/…: EMQX and other brokers ask over HTTP who may sign in and who may use which topic.

Two forms. EMQX 5 reads `result` in the body and takes any other status than 200 for "ask somebody
else", so to it every answer is a 200. Others read the status alone: 200 is yes, 403 is no. The
broker itself shows the secret in var/keys/broker-http as a bearer token.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import TypeAlias

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from deploy import broker_access
from deploy.broker_questions import QuestionError, read_sign_in, read_use
from registry.files import keep_once

log = structlog.get_logger(__name__)

Ask: TypeAlias = Callable[[HttpRequest], bool]
View: TypeAlias = Callable[[HttpRequest], HttpResponse]


def broker_secret() -> str:
    """What a broker shows, made at first use (var/keys/broker-http, mode 0600)."""
    return keep_once(settings.KEYS_DIR / "broker-http", lambda: secrets.token_urlsafe(32))


def _may_sign_in(request: HttpRequest) -> bool:
    asked = read_sign_in(request)
    allowed = broker_access.may_sign_in(asked.user, asked.client, asked.secret)
    _log(allowed, user=asked.user, client=asked.client)
    return allowed


def _may_use(request: HttpRequest) -> bool:
    asked = read_use(request)
    allowed = all(
        broker_access.may_use(asked.user, asked.client, access, asked.topic)
        for access in asked.accesses
    )
    _log(allowed, user=asked.user, client=asked.client, topic=asked.topic)
    return allowed


def _log(allowed: bool, **what: str) -> None:
    if not allowed:
        log.info("broker_told_no", **what)


def _by_result(ask: Ask) -> View:
    """As EMQX 5 reads it: `{"result": "allow" | "deny", "is_superuser": false}`."""

    def view(request: HttpRequest) -> HttpResponse:
        try:
            result = {"result": "allow" if ask(request) else "deny"}
        except QuestionError as error:
            result = {"result": "deny", "reason": str(error)}
        return JsonResponse(result | {"is_superuser": False})

    return _for_the_broker(view)


def _by_status(ask: Ask) -> View:
    """As EMQX 4, NanoMQ and Mosquitto's go-auth plug-in read it: the status."""

    def view(request: HttpRequest) -> HttpResponse:
        try:
            return HttpResponse(status=200 if ask(request) else 403)
        except QuestionError as error:
            return HttpResponse(f"{error}\n", status=400, content_type="text/plain")

    return _for_the_broker(view)


def _for_the_broker(view: View) -> View:
    def checked(request: HttpRequest) -> HttpResponse:
        scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
        expected = broker_secret().encode()
        if scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), expected):
            return view(request)
        detail = "show the secret of var/keys/broker-http as a bearer token"
        problem = {"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": detail}
        return JsonResponse(problem, status=401, content_type="application/problem+json")

    protected: View = csrf_exempt(require_POST(checked))
    return protected


def _nobody(request: HttpRequest) -> bool:
    """Nobody stands above the rules."""
    return False


emqx_authenticate = _by_result(_may_sign_in)
emqx_authorize = _by_result(_may_use)
http_authenticate = _by_status(_may_sign_in)
http_authorize = _by_status(_may_use)
http_superuser = _by_status(_nobody)
