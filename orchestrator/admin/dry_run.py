"""What the admin shows of a plan: figures first, then every device."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.template.defaultfilters import pluralize
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orchestrator.admin.rollout_words import order_words
from orchestrator.models import Rollout
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.services.plan_summaries import PlanSummary, summarise
from orchestrator.services.plans import Assignment
from orchestrator.services.rollouts import objection, plan
from registry.admin.columns import bytes_text, link_to, share_text

_ON_A_PAGE = 50
_REASONS = 20
_OUTCOMES = {
    DeploymentStatus.PENDING: "get an update",
    DeploymentStatus.ALREADY_INSTALLED: "have it already",
    DeploymentStatus.NOT_APPLICABLE: "get nothing",
}
_LABELS = {
    DeploymentStatus.PENDING: {"text": "update", "variant": "success"},
    DeploymentStatus.ALREADY_INSTALLED: {"text": "has it", "variant": "info"},
    DeploymentStatus.NOT_APPLICABLE: {"text": "nothing", "variant": "warning"},
}


def dry_run_context(rollout: Rollout, user: User, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Of a rollout, saved or not; `show` and `page` in `asked` choose devices.

    Raises RolloutError where the target does not hold.
    """
    planned = plan(rollout)
    summary = summarise(rollout, planned)
    shown = asked.get("show", "")
    shares = [each for each in planned.assignments if shown in {"", each.outcome.value}]
    page = Paginator(shares, _ON_A_PAGE).get_page(asked.get("page"))
    return {
        "objection": objection(rollout, planned, user),
        "order": order_words(rollout),
        "groups": _groups(summary, shown),
        "figures": _figures(summary),
        "notes": _notes(summary),
        "variants": _variants(summary),
        "waves": _waves(summary),
        "refused": _refused(summary),
        "shown": shown,
        "devices": _devices(list(page.object_list)),
        "page": page,
    }


def _groups(summary: PlanSummary, shown: str) -> list[dict[str, Any]]:
    everyone = {"show": "", "value": f"{summary.devices:,}", "name": "are meant"}
    groups = [everyone] + [
        {"show": outcome.value, "value": f"{summary.count(outcome):,}", "name": words}
        for outcome, words in _OUTCOMES.items()
    ]
    return [{**group, "is_shown": group["show"] == shown} for group in groups]


def _figures(summary: PlanSummary) -> list[dict[str, str]]:
    expected = summary.expected
    takes = f"about {_duration(expected.seconds)}" if expected else "not known"
    told = (
        f"as {expected.updates:,} past update{pluralize(expected.updates)} tell"
        if expected
        else "no update has come through yet"
    )
    return [
        {
            "name": "Bytes to send",
            "value": bytes_text(summary.download_bytes),
            "note": "fetched by all devices together",
        },
        {
            "name": "Bytes to publish",
            "value": bytes_text(summary.published_bytes),
            "note": "held by the broker, once",
        },
        {"name": "Expected time", "value": takes, "note": f"where all are online; {told}"},
    ]


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=max(round(seconds), 1)))


def _notes(summary: PlanSummary) -> list[str]:
    notes = [
        f"{older.devices:,} open deployment{pluralize(older.devices)} of rollout {older.rollout}, "
        f"{older.name}, would be taken over and end as superseded."
        for older in summary.taken_over
    ]
    if summary.offline:
        offline = f"{summary.offline:,} of those that get an update"
        notes.append(f"{offline} are offline now. They get it when they come back in time.")
    return notes


def _variants(summary: PlanSummary) -> dict[str, Any]:
    return {
        "headers": ["Variant", "Devices", "Each fetches"],
        "rows": [
            [each.name, f"{each.devices:,}", bytes_text(each.bytes_each)]
            for each in summary.variants
        ],
    }


def _waves(summary: PlanSummary) -> dict[str, Any]:
    whole = sum(each.devices for each in summary.waves)
    return {
        "headers": ["Wave", "Devices", "Share", "Bytes"],
        "rows": [
            [
                each.number,
                f"{each.devices:,}",
                share_text(each.devices / whole),
                bytes_text(each.download_bytes),
            ]
            for each in summary.waves
        ],
    }


def _refused(summary: PlanSummary) -> dict[str, Any]:
    return {
        "headers": ["Devices", "Why they get nothing", "For example"],
        "rows": [
            [f"{each.devices:,}", _whole(each.why), each.example]
            for each in summary.refused[:_REASONS]
        ],
    }


def _devices(shares: list[Assignment]) -> dict[str, Any]:
    return {
        "headers": ["Device", "Outcome", "Variant", "Wave", "Fetches", "Why not"],
        "rows": [_device(share) for share in shares],
    }


def _device(share: Assignment) -> list[Any]:
    sent = share.outcome is DeploymentStatus.PENDING
    return [
        link_to(share.device),
        render_to_string("unfold/helpers/label.html", _LABELS[share.outcome]),
        link_to(share.variant),
        share.wave if sent else "–",
        _one_line(bytes_text(share.download_bytes)) if sent else "–",
        _whole(share.detail) if share.detail else "–",
    ]


def _whole(text: str) -> SafeString:
    """A sentence may be longer than a line of a table."""
    return format_html('<span class="whitespace-normal">{}</span>', text)


def _one_line(text: str) -> SafeString:
    return format_html('<span class="whitespace-nowrap">{}</span>', text)
