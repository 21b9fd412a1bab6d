"""The form of a new rollout: what an operator writes becomes an order as the services take it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from orchestrator.admin.form_fields import (
    NumbersField,
    choice,
    clock,
    count,
    line,
    moment,
    number,
    switch,
)
from orchestrator.policy.sending import DAYS
from orchestrator.services.rollouts import RolloutPolicy
from registry.models import Fleet
from registry.services.lookup import LookupFailed, find_release, find_variant

_HEALTH = ("max_accuracy_drop", "max_latency_ratio", "max_restarts")
# Fields that the form and the policy have alike.
_ALIKE = (
    *("success_threshold", "error_threshold", "soak_s", "start_at", "expires_at"),
    *("max_per_minute", "is_dynamic", "revert_on_failure", "needs_approval"),
)
_TARGETS = {
    "all": "every accepted device",
    "fleet": "one fleet",
    "filter": "what a filter means",
    "sparql": "what a SPARQL query yields",
    "devices": "devices by name",
}
_DAY_NAMES = dict(zip(DAYS, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))


class RolloutForm(forms.Form):
    """Names as over REST, where there is one; what was not chosen is not read."""

    name = forms.CharField(label="Name", widget=line(placeholder="digits in spring"))
    what = forms.ChoiceField(
        label="What is sent",
        choices=[
            ("release", "a release: each device its best variant"),
            ("variant", "one variant"),
        ],
        initial="release",
        widget=choice("what"),
    )
    release = forms.CharField(
        label="Release",
        required=False,
        help_text="Its id, or model/number",
        widget=line(placeholder="digits/1", list="releases", autocomplete="off"),
    )
    variant = forms.CharField(
        label="Variant",
        required=False,
        help_text="Its id, or model/number/name",
        widget=line(placeholder="digits/1/small", list="variants", autocomplete="off"),
    )

    target = forms.ChoiceField(
        label="To whom",
        choices=list(_TARGETS.items()),
        initial="all",
        widget=choice("target"),
    )
    fleet = forms.ModelChoiceField(
        Fleet.objects.order_by("name"),
        label="Fleet",
        required=False,
        to_field_name="slug",
        widget=UnfoldAdminSelectWidget(),
    )
    filter = forms.CharField(
        label="Filter",
        required=False,
        help_text="e.g. board = nano-33-ble and sensor = microphone",
        widget=line(spellcheck="false"),
    )
    sparql = forms.CharField(
        label="SPARQL SELECT",
        required=False,
        help_text="Devices in its only variable, or in ?device",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"}),
    )
    devices = forms.CharField(
        label="Devices",
        required=False,
        help_text="Their ids, with spaces, commas or line ends between them",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}),
    )
    is_dynamic = switch("Newcomers join", "Devices that the target comes to mean, until it expires")

    waves = forms.ChoiceField(
        label="Waves",
        choices=[("wave_percentages", "by percentage"), ("wave_sizes", "by numbers of devices")],
        initial="wave_percentages",
        widget=choice("waves"),
    )
    wave_percentages = NumbersField(
        whole=False,
        label="Cumulative percentages",
        initial="10, 50, 100",
        help_text="Of the devices that get something; the last is 100",
    )
    wave_sizes = NumbersField(
        whole=True,
        label="Devices in each wave",
        help_text="e.g. 5, 50; one more wave takes the rest",
    )
    success_threshold = number(
        "A wave succeeds with", "This fraction of its devices confirmed, or more", initial=0.9
    )
    error_threshold = number(
        "The rollout stops above", "This fraction of a wave's devices failed", initial=0.2
    )
    revert_on_failure = switch("Send back when it stops", "To what each device ran before")

    soak_s = count(
        "Soak", "Seconds that a device shows itself well before it is confirmed", initial=0
    )
    max_accuracy_drop = number("Accuracy drops by at most", "A fraction, e.g. 0.05", required=False)
    max_latency_ratio = number(
        "Latency grows to at most", "Times as long as before, e.g. 1.5", required=False
    )
    max_restarts = count("Restarts at most", "During the soak", required=False, min_value=0)

    start_at = moment("Starts at", "UTC; without it when Start is pressed")
    expires_at = moment("Expires at", "UTC; what is not installed by then is given up")
    window_from = clock("Orders go out from")
    window_to = clock("until")
    window_days = forms.MultipleChoiceField(
        label="on",
        required=False,
        choices=list(_DAY_NAMES.items()),
        help_text="None chosen: every day. A window that passes midnight belongs to its first day",
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    window_timezone = forms.CharField(
        label="by the clock of", required=False, widget=line(placeholder="UTC")
    )
    max_per_minute = count(
        "Orders in any minute at most", "Without it as many as there are", required=False
    )
    needs_approval = switch("A second person approves", "Before it can be started")

    def clean_needs_approval(self) -> bool:
        """Where the installation asks it of all, it is asked of this one."""
        return bool(self.cleaned_data["needs_approval"] or settings.ROLLOUTS_NEED_APPROVAL)

    def clean(self) -> dict[str, Any]:
        """Find what is named, and miss what is not."""
        data = super().clean() or {}
        self._find("release", find_release)
        self._find("variant", find_variant)
        chosen = data.get("target")
        if chosen in {"fleet", "filter", "sparql", "devices"} and not data.get(chosen):
            self._miss(chosen, "The target needs it.")
        if bool(data.get("window_from")) != bool(data.get("window_to")):
            missing = "window_to" if data.get("window_from") else "window_from"
            self._miss(missing, "Hours have a beginning and an end.")
        return data

    def _find(self, kind: str, find: Any) -> None:
        name = self.cleaned_data.get(kind, "")
        if self.cleaned_data.get("what") != kind:
            self.cleaned_data[kind] = None
        elif not name:
            self._miss(kind, f"Which {kind} is to be sent?")
        else:
            try:
                self.cleaned_data[kind] = find(name)
            except LookupFailed as error:
                self._miss(kind, f"{error}.")

    def _miss(self, field: str, sentence: str) -> None:
        if field not in self.errors:
            self.add_error(field, sentence[:1].upper() + sentence[1:])

    def order(self) -> dict[str, Any]:
        """The checked fields as `create_rollout` and `draft_rollout` take them."""
        data = self.cleaned_data
        return {
            "name": data["name"],
            "release": data["release"],
            "variant": data["variant"],
            "target": _target(data),
            "policy": _policy(data),
        }

    def refuse(self, message: str, fields: Mapping[str, str]) -> None:
        """Put what a service says beside the fields that it is about."""
        for name, sentence in (fields or {"": message}).items():
            self.add_error(self._place(name, sentence), sentence)

    def _place(self, field: str, sentence: str) -> str | None:
        chosen = self.cleaned_data
        if field == "target":
            return chosen["target"] if chosen["target"] in self.fields else "target"
        if field == "release":
            return str(chosen["what"])
        if field == "health":
            return next((name for name in _HEALTH if name in sentence), "soak_s")
        place = {"window": "window_from"}.get(field, field)
        return place if place in self.fields else None


def _target(data: Mapping[str, Any]) -> dict[str, Any]:
    kind = data["target"]
    match kind:
        case "all":
            return {"all": True}
        case "fleet":
            return {"fleet": data["fleet"].slug}
        case "devices":
            return {"devices": [name for name in re.split(r"[,;\s]+", data["devices"]) if name]}
    return {kind: data[kind]}


def _policy(data: Mapping[str, Any]) -> RolloutPolicy:
    by_size = data["waves"] == "wave_sizes"
    return RolloutPolicy(
        wave_percentages=(100,) if by_size else data["wave_percentages"],
        wave_sizes=data["wave_sizes"] if by_size else (),
        health={name: data[name] for name in _HEALTH if data[name] is not None},
        window=_window(data),
        **{name: data[name] for name in _ALIKE},
    )


def _window(data: Mapping[str, Any]) -> dict[str, Any] | None:
    if not data["window_from"]:
        return None
    days = {"days": data["window_days"]} if data["window_days"] else {}
    zone = data["window_timezone"] or "UTC"
    return {"from": data["window_from"], "to": data["window_to"], **days, "timezone": zone}
