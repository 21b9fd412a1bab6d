"""Fields of the admin's own forms, in the admin's clothes."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)


def line(**attrs: Any) -> forms.Widget:
    """One line of text."""
    return UnfoldAdminTextInputWidget(attrs=attrs)


def choice(model: str) -> forms.Widget:
    """One of several, all in sight; the page's script knows the choice as `model`."""
    return UnfoldAdminRadioSelectWidget(attrs={"x-model": model})


class NumbersField(forms.CharField):
    """Numbers in a row, e.g. `10, 50, 100`; `whole` ones where that is said."""

    def __init__(self, *, whole: bool, **options: Any) -> None:
        super().__init__(widget=line(), required=False, **options)
        self._read = int if whole else float

    def to_python(self, value: Any) -> Any:
        """A list of numbers, which is empty where nothing is written."""
        text = super().to_python(value) or ""
        try:
            return [self._read(part) for part in re.split(r"[,;\s]+", text) if part]
        except ValueError as error:
            kind = "whole numbers" if self._read is int else "numbers"
            raise forms.ValidationError(f"These are no {kind}: {text[:80]}") from error


def number(label: str, help_text: str, **options: Any) -> forms.FloatField:
    """A number with a decimal point."""
    widget = line(inputmode="decimal")
    return forms.FloatField(label=label, help_text=help_text, widget=widget, **options)


def count(label: str, help_text: str, **options: Any) -> forms.IntegerField:
    """A whole number."""
    widget = line(inputmode="numeric")
    return forms.IntegerField(label=label, help_text=help_text, widget=widget, **options)


def switch(label: str, help_text: str) -> forms.BooleanField:
    """Yes or no."""
    widget = UnfoldBooleanSwitchWidget()
    return forms.BooleanField(label=label, help_text=help_text, required=False, widget=widget)


def moment(label: str, help_text: str) -> forms.DateTimeField:
    """A date with a time, or nothing."""
    widget = line(type="datetime-local")
    return forms.DateTimeField(label=label, help_text=help_text, required=False, widget=widget)


def clock(label: str) -> forms.CharField:
    """A time of day, or nothing."""
    return forms.CharField(label=label, required=False, widget=line(type="time"))
