"""Rollouts and plans as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.models import Rollout
from orchestrator.policy.lifecycle import FINAL
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.selectors.rollouts import newest_updates, wave_status_counts
from orchestrator.services.expected_time import expected_time
from orchestrator.services.plans import Assignment, Plan

_STYLE = {
    DeploymentStatus.CONFIRMED: "green",
    DeploymentStatus.ALREADY_INSTALLED: "green",
    DeploymentStatus.FAILED: "red",
    DeploymentStatus.REJECTED: "red",
    DeploymentStatus.ROLLED_BACK: "red",
    DeploymentStatus.NOT_APPLICABLE: "yellow",
    DeploymentStatus.EXPIRED: "yellow",
}
_SHOWN = 20
_BAR_WIDTH = 24


def progress_table(rollout: Rollout) -> RenderableType:
    """Where each wave stands, and what went wrong on which device."""
    title = Text(f"Rollout {rollout.pk}: {rollout.name} is {rollout.status}")
    table = Table()
    for heading in ("wave", "status", "ended", "devices"):
        table.add_column(heading)
    counts = wave_status_counts([rollout])
    for wave in rollout.waves.order_by("number"):
        found = counts.get(wave.pk, {})
        table.add_row(str(wave.number), wave.status, _bar(found), _counted(found))
    parts: list[RenderableType] = [title, table, *_troubles(rollout)]
    if rollout.detail:
        parts.append(Text(rollout.detail, style="red"))
    return Group(*parts)


def _bar(counts: dict[str, int]) -> ProgressBar:
    ended = sum(n for status, n in counts.items() if DeploymentStatus(status) in FINAL)
    return ProgressBar(total=max(sum(counts.values()), 1), completed=ended, width=_BAR_WIDTH)


def _counted(counts: dict[str, int]) -> Text:
    text = Text()
    for status in DeploymentStatus:
        if counts.get(status.value):
            text.append(f"{counts[status.value]} {status.value}  ", style=_STYLE.get(status, ""))
    return text


def _troubles(rollout: Rollout) -> list[Text]:
    """The newest deployments that did not come through, with why."""
    bad = [status for status, style in _STYLE.items() if style != "green"]
    rows = newest_updates(rollout).filter(status__in=bad).select_related("device")
    return [
        Text(f"{row.device.device_id}: {row.status}: {row.detail or row.result_code}")
        for row in rows.order_by("-changed_at", "device__device_id")[:_SHOWN]
    ]


def plan_tables(rollout: Rollout, plan: Plan) -> RenderableType:
    """Who would get what, who nothing and why, what it costs and how long it takes."""
    table = Table()
    table.add_column("variant")
    table.add_column("devices", justify="right")
    table.add_column("bytes each", justify="right")
    sizes = {str(share.variant): share.download_bytes for share in plan.updates}
    for variant, count in Counter(str(share.variant) for share in plan.updates).most_common():
        table.add_row(escape(variant), f"{count:,}", f"{sizes[variant]:,}")
    parts: list[RenderableType] = [Text(_headline(plan)), table, Text(_time(rollout, plan))]
    has_it = plan.with_outcome(DeploymentStatus.ALREADY_INSTALLED)
    if has_it:
        parts.append(Text(f"{len(has_it):,} devices have it already.", style="green"))
    parts += _refusals(plan.refused)
    return Group(*parts)


def _headline(plan: Plan) -> str:
    waves = Counter(share.wave for share in plan.updates)
    sizes = ", ".join(f"{waves[number]:,}" for number in sorted(waves))
    return (
        f"{len(plan.updates):,} of {len(plan.assignments):,} devices in waves of {sizes or '0'}; "
        f"{plan.download_bytes:,} B to fetch, {plan.published_bytes:,} B to publish"
    )


def _time(rollout: Rollout, plan: Plan) -> str:
    expected = expected_time(rollout, plan)
    if expected is None:
        return "How long it takes is not known: no update has come through yet."
    return (
        f"It takes about {timedelta(seconds=round(expected.seconds))} where all are online, as"
        f" {expected.updates:,} past updates tell."
    )


def _refusals(refused: list[Assignment]) -> list[Text]:
    reasons = Counter(share.detail for share in refused)
    examples = {share.detail: share.device.device_id for share in reversed(refused)}
    return [
        Text(f"{count:,} get nothing, e.g. {examples[detail]}: {detail}", style="yellow")
        for detail, count in reasons.most_common(_SHOWN)
    ]
