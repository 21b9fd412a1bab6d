"""The audit trail: what people, commands and the product itself did, and what came of it.

An entry is written after the act, in a transaction of its own. Where that fails, the log keeps the
entry: the act is done, and an answer that says otherwise would be worse.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.contrib.auth.models import AnonymousUser, User
from django.db import DatabaseError, transaction
from django.db.models import Max, Q, QuerySet

from registry.models.audit import AuditChannel, AuditEntry, AuditOutcome

log = structlog.get_logger(__name__)

COLUMNS = ("at", "actor", "channel", "action", "subject", "outcome", "detail")
NOBODY = "nobody known"
SIGN_IN = "sign in"
_MAX_DETAIL = 1000
#: So many entries are read at once for an export.
PAGE = 1000
# What a spreadsheet takes for a formula; a quote in front makes it text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody tried: the words of an entry."""

    channel: AuditChannel
    action: str
    subject: str = ""
    outcome: AuditOutcome = AuditOutcome.DONE
    detail: str = ""


def record(act: Act, user: User | AnonymousUser | None = None, actor: str = "") -> None:
    """Keep an act by a user, or by an `actor` who is none: a person at a terminal, a process."""
    known = user if isinstance(user, User) else None
    name = known.get_username() if known is not None else actor or NOBODY
    values: dict[str, Any] = {
        "actor": name[:150],
        "channel": act.channel,
        "action": act.action[:120],
        "subject": act.subject[:200],
        "outcome": act.outcome,
        "detail": act.detail[:_MAX_DETAIL].replace("\0", ""),
    }
    try:
        with transaction.atomic():
            AuditEntry.objects.create(user=known, **values)
    except DatabaseError:
        log.exception("audit_entry_not_kept", **values)


def record_step(action: str, subject: str, detail: str, now: datetime) -> None:
    """What the product decided by itself; in the transaction that applies the decision."""
    AuditEntry.objects.create(
        at=now,
        actor="scheduler",
        channel=AuditChannel.SYSTEM,
        action=action,
        subject=subject[:200],
        outcome=AuditOutcome.DONE,
        detail=detail[:_MAX_DETAIL],
    )


def refused_sign_ins(now: datetime) -> int:
    """How many were kept in the last minute."""
    recent = AuditEntry.objects.filter(at__gt=now - timedelta(minutes=1))
    return recent.filter(action=SIGN_IN, outcome=AuditOutcome.REFUSED).count()


def entries(since: datetime | None, until: datetime | None) -> QuerySet[AuditEntry]:
    """From `since` on and before `until`."""
    rows = AuditEntry.objects.all()
    if since is not None:
        rows = rows.filter(at__gte=since)
    return rows.filter(at__lt=until) if until is not None else rows


def as_csv(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    """Lines of RFC 4180 with a header, oldest first."""
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for row in _rows(rows):
        yield writer.writerow([_harmless(row[name]) for name in COLUMNS])


def as_json_lines(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    """One JSON object a line, oldest first."""
    for row in _rows(rows):
        yield json.dumps(row, ensure_ascii=False) + "\n"


class _Echo:
    """A file that gives back what is written to it, so that `csv` makes one line at a time."""

    def write(self, line: str) -> str:
        return line


def _rows(rows: QuerySet[AuditEntry]) -> Iterator[dict[str, str]]:
    """What stands there now, read a page at a time.

    Each page begins behind the last one's end: no cursor, and so no snapshot of the database, is
    held while a slow reader takes its time.
    """
    newest = AuditEntry.objects.aggregate(newest=Max("id"))["newest"]
    left = rows.filter(id__lte=newest or 0).order_by("at", "id").values("id", *COLUMNS)
    page = list(left[:PAGE])
    while page:
        for row in page:
            yield {name: _text(row[name]) for name in COLUMNS}
        # Written so that the index on time is searched and not scanned.
        last = page[-1]
        behind = Q(at__gt=last["at"]) | Q(id__gt=last["id"])
        page = list(left.filter(behind, at__gte=last["at"])[:PAGE])


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
