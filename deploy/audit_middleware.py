"""Every request that may change something leaves an entry in the audit trail.

One place for the admin, REST and the Things directory: a view that is added later is audited from
its first day. What a view knows better than a status tells it by `request.audit_refusal`; one that
has only read something, whatever its method, sets `request.audit_reading`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, resolve

from registry.models.audit import AuditChannel, AuditOutcome
from registry.services.audit import Act, record

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# They read by POST; brokers ask who may sign in.
_READING = ("/sparql", "/search/", "/broker/", "/api/v1/what-if/", "/api/v1/rollouts/plan/")
# What tells one thing that was made from another, best first.
_NAMES = ("id", "device_id", "slug", "name")
_BY_DJANGO = ("/admin/login/", "/admin/logout/")  # told by signals, which know whether it worked


class AuditMiddleware:
    """Notes method, view, subject and result of what is no plain reading.

    Refusals of people that nobody knows are left out: anybody could fill the table with them.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._later(request)
        response = self._get_response(request)
        _note(request, response)
        return response

    async def _later(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await self._get_response(request)
        if _is_act(request):
            await sync_to_async(_note)(request, response)
        return response


def _is_act(request: HttpRequest) -> bool:
    return request.method not in _SAFE and not request.path.startswith((*_READING, *_BY_DJANGO))


def _note(request: HttpRequest, response: HttpResponseBase) -> None:
    found = _match(request) if _is_act(request) else None
    if found is None or getattr(request, "audit_reading", False):
        return
    act = _act(request, response, found)
    if request.user.is_authenticated or act.outcome is not AuditOutcome.REFUSED:
        record(act, request.user)


def _match(request: HttpRequest) -> ResolverMatch | None:
    """None for a path that leads nowhere: nothing was there to be changed."""
    if request.resolver_match is not None:
        return request.resolver_match
    try:
        return resolve(request.path_info)
    except Resolver404:
        return None


def _act(request: HttpRequest, response: HttpResponseBase, found: ResolverMatch) -> Act:
    is_admin = request.path.startswith("/admin/")
    outcome, detail = _result(request, response, is_admin)
    return Act(
        channel=AuditChannel.ADMIN if is_admin else AuditChannel.REST,
        action=f"{request.method} {found.url_name or found.route}",
        subject=_subject(found, response),
        outcome=outcome,
        detail=detail,
    )


def _subject(found: ResolverMatch, response: HttpResponseBase) -> str:
    """What the path names, or what was made of it."""
    named = " ".join(str(value) for value in found.kwargs.values())
    made = getattr(response, "data", None)
    if not named and response.status_code < 400 and isinstance(made, dict):
        named = str(next((made[key] for key in _NAMES if key in made), ""))
    return named


def _result(
    request: HttpRequest, response: HttpResponseBase, is_admin: bool
) -> tuple[AuditOutcome, str]:
    refusal = getattr(request, "audit_refusal", "")
    if refusal:
        return AuditOutcome.REFUSED, refusal
    if response.status_code >= 500:
        return AuditOutcome.FAILED, f"status {response.status_code}"
    if response.status_code >= 400:
        return AuditOutcome.REFUSED, _why(response)
    if is_admin and response.status_code == 200:
        # A form that was taken leads on; one that comes again has said what is wrong in it.
        return AuditOutcome.REFUSED, "the form was not taken, or asks once more"
    return AuditOutcome.DONE, ""


def _why(response: HttpResponseBase) -> str:
    data: Any = getattr(response, "data", None)
    detail = data.get("detail", data) if isinstance(data, dict) else data
    return f"status {response.status_code}" + (f": {detail}" if detail else "")
