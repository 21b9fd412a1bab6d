"""What an import did to a row."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from django.db.models import Model


class Change(StrEnum):
    """What became of one row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


def assign(row: Model, values: Mapping[str, Any]) -> bool:
    """Set what differs, without saving; whether anything did."""
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    return bool(changed)


def update(row: Model, values: Mapping[str, Any]) -> bool:
    """Save what differs, and nothing where nothing does; whether anything did."""
    differs = assign(row, values)
    if differs:
        row.save(update_fields=list(values))
    return differs
