"""Numbers in a query: one that no column can hold is a bad request, not a server error."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms

#: The largest number that the eight-byte integers of SQLite and PostgreSQL hold.
LARGEST = 2**63 - 1


class WholeNumberFilter(django_filters.NumberFilter):  # type: ignore[misc]  # untyped
    """A key, a size or a number of something: whole, at least zero, answered with 400 otherwise."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"min_value": 0, "max_value": LARGEST, **kwargs})

    def get_max_validator(self) -> None:
        """None: the field's own bound is tighter than django-filter's."""
