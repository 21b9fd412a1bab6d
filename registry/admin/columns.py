"""How figures look in a list: units that people read, links that lead on."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html

# How a device's status is coloured.
DEVICE_COLOURS = {
    "accepted": "success",
    "pending": "warning",
    "rejected": "danger",
    "revoked": "danger",
}
_STEPS = ((1024 * 1024, "MiB"), (1024, "KiB"))


def bytes_text(count: int | None) -> str:
    """A size with its unit, exact below 1 KiB; a dash where it is not known."""
    if count is None:
        return "–"
    for step, unit in _STEPS:
        if count >= step:
            return f"{count / step:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} B"


def share_text(share: float | None) -> str:
    """A fraction as percent."""
    return "–" if share is None else f"{share:.1%}"


def megahertz_text(hertz: int | None) -> str:
    """A clock."""
    return "–" if hertz is None else f"{hertz / 1_000_000:g} MHz"


def link_to(row: Model | None, text: str | None = None) -> str:
    """A link to a row's own page."""
    if row is None:
        return "–"
    page = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}" class="text-primary-600">{}</a>', page, text or str(row))


def joined(items: Any) -> str:
    """A short list in words."""
    return ", ".join(str(item) for item in items) or "none"
