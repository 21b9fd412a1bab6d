"""The admin's first page: the fleet at a glance."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The figures of the first page."""
    return context
