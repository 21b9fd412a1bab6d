"""Buttons that change something ask first: a link alone, which any page may hold, does nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin

from orchestrator.services.enrolment import NotWaiting

PAGE = "orchestrator/confirm.html"


def ask_first(
    pages: ModelAdmin,
    request: HttpRequest,
    object_id: str,
    *,
    button: str,
    effect: str,
    act: Callable[[Any], str],
    refusal: type[Exception],
) -> HttpResponse:
    """A page that says what `button` does to a row; its form comes back as a POST and acts.

    Only the POST acts, and Django takes it with a CSRF token alone. `act` gets the row and answers
    with what to tell; a `refusal` that it raises is shown on the row's page. Raises Http404.
    """
    row = pages.get_object(request, object_id)
    if row is None:
        raise Http404
    meta = pages.opts
    back = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    if request.method == "POST":
        _act(request, row, act, refusal)
        return HttpResponseRedirect(back)
    said = {"title": f"{button}: {row}", "button": button, "effect": effect, "back": back}
    page = {**pages.admin_site.each_context(request), **said, "opts": meta, "original": row}
    return TemplateResponse(request, PAGE, page)


def ask_of_membership(
    pages: ModelAdmin,
    request: HttpRequest,
    object_id: str,
    button: str,
    effect: str,
    act: Callable[[Any], str],
) -> HttpResponse:
    """As `ask_first`, for what decides on who is a member and by which key."""
    texts = {"button": button, "effect": effect}
    return ask_first(pages, request, object_id, **texts, act=act, refusal=NotWaiting)


def row_key(object_id: Any) -> int | None:
    """The key that a path names; None for what is no key, which the page then does not find."""
    text = str(object_id)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _act(
    request: HttpRequest, row: Any, act: Callable[[Any], str], refusal: type[Exception]
) -> None:
    try:
        messages.success(request, act(row))
    except refusal as error:
        request.audit_refusal = str(error)  # type: ignore[attr-defined]  # for the audit trail
        messages.error(request, str(error))
