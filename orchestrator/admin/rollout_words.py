"""A rollout in words: what was ordered, and how its waves stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.template.defaultfilters import pluralize
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from orchestrator.models import Rollout, Wave
from orchestrator.policy.lifecycle import FINAL
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.selectors.rollouts import wave_status_counts

WAVE_COLOURS = {
    "waiting": "info",
    "running": "warning",
    "succeeded": "success",
    "failed": "danger",
    "cancelled": "info",
}
_DEPLOYMENTS = "admin:orchestrator_deployment_changelist"


def label(text: str, colour: str | None) -> SafeString:
    """A word on a coloured ground, as in the admin's lists."""
    words = {"text": text.replace("_", " "), "variant": colour or "info"}
    return SafeString(render_to_string("unfold/helpers/label.html", words))


def order_table(rollout: Rollout) -> SafeString:
    """What was ordered, a line for each thing."""
    line = (
        '<div class="flex flex-row gap-2"><dt class="w-40">{}</dt><dd class="min-w-0">{}</dd></div>'
    )
    rows = format_html_join("", line, order_words(rollout))
    return format_html('<dl class="flex flex-col gap-2">{}</dl>', rows)


def waves_table(rollout: Rollout) -> SafeString:
    """Each wave: how many of its devices have ended, and how many stand where, as links to them."""
    counts = wave_status_counts([rollout])
    rows = [
        [
            wave.number,
            label(wave.status, WAVE_COLOURS.get(wave.status)),
            _ended(counts.get(wave.pk, {})),
            _links(wave, counts.get(wave.pk, {})),
            _moment(wave.started_at) or "–",
            _moment(wave.finished_at) or "–",
        ]
        for wave in rollout.waves.order_by("number")
    ]
    headers = ["Wave", "Status", "Ended", "Devices", "Began", "Ended at"]
    if not rows:
        return SafeString("–")
    table = {"table": {"headers": headers, "rows": rows}}
    return SafeString(render_to_string("unfold/components/table.html", table))


def _ended(counts: Mapping[str, int]) -> str:
    ended = sum(count for status, count in counts.items() if DeploymentStatus(status) in FINAL)
    return f"{ended:,} of {sum(counts.values()):,}"


def _links(wave: Wave, counts: Mapping[str, int]) -> SafeString:
    """In the order of a device's way."""
    chosen = f"wave__id__exact={wave.pk}&is_newest__exact=1&status__exact="
    page = f"{reverse(_DEPLOYMENTS)}?{chosen}"
    link = '<a href="{}{}" class="text-primary-600 whitespace-nowrap">{} {}</a>'
    found = [
        (page, status.value, f"{counts[status.value]:,}", status.value.replace("_", " "))
        for status in DeploymentStatus
        if counts.get(status.value)
    ]
    return format_html_join(", ", link, found)


def order_words(rollout: Rollout) -> list[tuple[str, str]]:
    """What was asked for, in words, to be read once more before it is saved."""
    release, variant = rollout.release, rollout.variant
    sends = f"{release.model.name}/{release.number}" if release is not None else str(variant)
    rows = [("Sends", sends), ("To", _target(rollout)), ("Waves", _steps(rollout))]
    rows += [
        ("A wave succeeds with", f"{_percent(rollout.success_threshold)} confirmed or more"),
        ("It stops above", f"{_percent(rollout.error_threshold)} failed{_after(rollout)}"),
        ("Soak", _soak(rollout)),
        ("Starts", _moment(rollout.start_at) or "when it is started"),
        ("Expires", _moment(rollout.expires_at)),
    ]
    if rollout.window is not None:
        rows.append(("Orders go out", _hours(rollout.window)))
    if rollout.max_per_minute is not None:
        rows.append(("At most", f"{rollout.max_per_minute:,} orders in any minute"))
    if rollout.needs_approval:
        rows.append(("Approval", "by a second person, before it can be started"))
    return rows


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.4g} %"


def _after(rollout: Rollout) -> str:
    return ", and sends its devices back" if rollout.revert_on_failure else ""


def _target(rollout: Rollout) -> str:
    kind, value = next(iter(rollout.target.items()))
    if kind == "all":
        words = "every accepted device"
    elif kind == "devices":
        words = f"{len(value):,} named device{pluralize(len(value))}"
    else:
        words = f"{'query' if kind == 'sparql' else kind}: {value}"
    return f"{words}; newcomers join" if rollout.is_dynamic else words


def _steps(rollout: Rollout) -> str:
    if rollout.wave_sizes:
        return ", ".join(f"{size:,}" for size in rollout.wave_sizes) + " devices, then the rest"
    return ", ".join(f"{share:g} %" for share in rollout.wave_percentages)


def _soak(rollout: Rollout) -> str:
    limits = [f"{name.replace('_', ' ')} {value:g}" for name, value in rollout.health.items()]
    return ", ".join([f"{rollout.soak_s:,} s", *limits])


def _moment(moment: Any) -> str:
    return f"{moment:%F %R %Z}" if moment is not None else ""


def _hours(window: Mapping[str, Any]) -> str:
    days = ", ".join(window.get("days", ())) or "every day"
    return f"{window['from']} to {window['to']}, {days}, {window.get('timezone', 'UTC')}"
