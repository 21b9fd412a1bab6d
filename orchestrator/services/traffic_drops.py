"""What was refused at the edge: counted per reason and kind of topic, with the newest example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from django.db.models import F

from orchestrator.models import DroppedMessage

log = structlog.get_logger(__name__)

UNKNOWN_KIND = "unknown"
_MAX_DETAIL = 300


class DropReason(StrEnum):
    """Why a message went no further."""

    UNKNOWN_TOPIC = "unknown_topic"
    OVERSIZED = "oversized"
    MALFORMED = "malformed"
    NOT_ACCEPTED = "not_accepted"
    DESCRIPTION = "description"
    FAILED = "failed"
    RATE = "rate"
    REPORTS = "reports"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Drop:
    """One refused message. `kind` is its topic's kind; `device` None where the topic names none."""

    reason: DropReason
    kind: str
    detail: str
    device: str | None = None


def count_drop(drop: Drop, now: datetime, count: int = 1) -> None:
    """Add to the counter of its reason and kind; the detail replaces the one before."""
    row = DroppedMessage.objects.filter(reason=drop.reason, topic=drop.kind)
    detail = drop.detail[:_MAX_DETAIL]
    if not row.update(count=F("count") + count, last_at=now, last_detail=detail):
        # Two processes may both find no row: the loser's insert is ignored, then both add.
        new = DroppedMessage(reason=drop.reason, topic=drop.kind, last_at=now)
        DroppedMessage.objects.bulk_create([new], ignore_conflicts=True)
        row.update(count=F("count") + count, last_at=now, last_detail=detail)


def count_drops(drops: Sequence[Drop], now: datetime) -> None:
    """Count many at once: a flood of bad messages costs a line in the log for each sender, with its
    newest example, and one statement per reason and kind."""
    by_sender = {(drop.reason, drop.kind, drop.device): drop for drop in drops}
    times = Counter((drop.reason, drop.kind, drop.device) for drop in drops)
    for sender, drop in by_sender.items():
        log.warning(
            "message_dropped",
            reason=drop.reason.value,
            topic=drop.kind,
            device=drop.device,
            detail=drop.detail[:_MAX_DETAIL],
            times=times[sender],
        )
    counts = Counter((drop.reason, drop.kind) for drop in drops)
    newest = {(drop.reason, drop.kind): drop for drop in drops}
    for key, count in counts.items():
        count_drop(newest[key], now, count)
