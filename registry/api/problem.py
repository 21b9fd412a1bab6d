"""Refusals and failures as RFC 9457 problems."""

from __future__ import annotations

from typing import Any

from django.http import JsonResponse

MEDIA_TYPE = "application/problem+json"


def problem(status: int, title: str, detail: str, **members: Any) -> JsonResponse:
    """A response that says what is wrong and how to mend it; members of None are left out."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    body |= {"detail": detail, **{key: each for key, each in members.items() if each is not None}}
    as_utf_8 = {"ensure_ascii": False}  # names in it are foreign; escaped nobody could read them
    return JsonResponse(body, status=status, content_type=MEDIA_TYPE, json_dumps_params=as_utf_8)
