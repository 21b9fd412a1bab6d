"""Watching a rollout from a terminal, or into a file."""

from __future__ import annotations

import time

from django.utils import timezone
from rich.console import Console
from rich.live import Live
from rich.text import Text

from orchestrator.management import rollout_tables
from orchestrator.models import Rollout, RolloutStatus

_POLL_S = 0.5
_STILL_GOING = (RolloutStatus.SCHEDULED, RolloutStatus.RUNNING, RolloutStatus.PAUSED)


def watch(rollout: Rollout, console: Console) -> None:
    """Until it ends: a table that moves on a terminal, elsewhere a line for each change."""
    if console.is_terminal:
        _in_place(rollout, console)
    else:
        _line_by_line(rollout, console)


def _in_place(rollout: Rollout, console: Console) -> None:
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            rollout.refresh_from_db()
            live.update(rollout_tables.progress_table(rollout), refresh=True)
            if rollout.status not in _STILL_GOING:
                return
            time.sleep(_POLL_S)


def _line_by_line(rollout: Rollout, console: Console) -> None:
    said = ""
    while True:
        rollout.refresh_from_db()
        if rollout.status not in _STILL_GOING:
            console.print(rollout_tables.progress_table(rollout))
            return
        line = rollout_tables.progress_line(rollout)
        if line != said:
            console.print(Text(f"{timezone.now():%F %T} {line}"), soft_wrap=True)
            said = line
        time.sleep(_POLL_S)
