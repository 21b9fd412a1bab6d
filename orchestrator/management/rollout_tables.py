"""Rollouts and plans as tables for a terminal."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.models import Rollout
from orchestrator.policy.lifecycle import FINAL
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.selectors.rollouts import newest_updates, wave_status_counts
from orchestrator.services.plan_summaries import PlanSummary, summarise
from orchestrator.services.plans import Plan
from orchestrator.services.rollouts import objection

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


def progress_line(rollout: Rollout) -> str:
    """The same in one line, for files and pipes."""
    counts = wave_status_counts([rollout])
    waves = [
        f"wave {wave.number} {wave.status}: {_counted(counts.get(wave.pk, {})).plain.strip()}"
        for wave in rollout.waves.order_by("number")
    ]
    return "; ".join([f"{rollout.name} is {rollout.status}", *waves])


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


def plan_tables(rollout: Rollout, plan: Plan, user: User | None) -> RenderableType:
    """Who would get what, who nothing and why, what it costs, how long it takes; whether `user`
    would be refused it."""
    summary = summarise(rollout, plan)
    table = Table()
    table.add_column("variant")
    table.add_column("devices", justify="right")
    table.add_column("bytes each", justify="right")
    for each in summary.variants:
        table.add_row(escape(each.name), f"{each.devices:,}", f"{each.bytes_each:,}")
    parts: list[RenderableType] = [Text(_headline(summary)), table, Text(_time(summary))]
    if has_it := summary.count(DeploymentStatus.ALREADY_INSTALLED):
        parts.append(Text(f"{has_it:,} devices have it already.", style="green"))
    parts += _beside(summary) + _refusals(summary)
    if why := objection(rollout, plan, user):
        parts.append(Text(f"It would be refused: {why}", style="red"))
    return Group(*parts)


def _headline(summary: PlanSummary) -> str:
    updates = sum(wave.devices for wave in summary.waves)
    sizes = ", ".join(f"{wave.devices:,}" for wave in summary.waves)
    return (
        f"{updates:,} of {summary.devices:,} devices in waves of {sizes or '0'}; "
        f"{summary.download_bytes:,} B to fetch, {summary.published_bytes:,} B to publish"
    )


def _time(summary: PlanSummary) -> str:
    expected = summary.expected
    if expected is None:
        return "How long it takes is not known: no update has come through yet."
    return (
        f"It takes about {timedelta(seconds=round(expected.seconds))} where all are online, as"
        f" {expected.updates:,} past updates tell."
    )


def _beside(summary: PlanSummary) -> list[Text]:
    offline = f"{summary.offline:,} of them are offline now; they get it when they come back."
    return [Text(offline)] * bool(summary.offline) + [
        Text(f"{older.devices:,} are taken over from rollout {older.rollout} {older.name!r}.")
        for older in summary.taken_over
    ]


def _refusals(summary: PlanSummary) -> list[Text]:
    return [
        Text(f"{each.devices:,} get nothing, e.g. {each.example}: {each.why}", style="yellow")
        for each in summary.refused[:_SHOWN]
    ]
