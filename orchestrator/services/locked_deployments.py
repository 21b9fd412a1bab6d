"""Deployments that this transaction holds, as plain values.

An object of each row and of those that it points to would cost more than everything else that is
done about a device's word.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from orchestrator.models import Deployment
from registry.models import Variant


class LockedDeployment(NamedTuple):
    """The columns that a decision about a deployment reads; `variant` and so on are keys."""

    pk: UUID
    status: str
    progress: float
    result_code: str
    detail: str
    purpose: str
    attempt: int
    sequence: int | None
    reports: int
    installed_at: datetime | None
    soak_ends_at: datetime | None
    wave_id: int
    device_id: int
    variant_id: int | None
    previous_id: int | None


def locked(deployments: QuerySet[Deployment], limit: int | None = None) -> list[LockedDeployment]:
    """The rows with what a change needs, locked in the order of their ids until the commit.

    PostgreSQL would lock the rows of joined tables too, so conditions on other tables must be
    subqueries; ValueError otherwise. SQLite has no row locks and needs none: its transactions take
    the write lock at their start.
    """
    if limit is not None:
        # Which of them matters to nobody. In an order both databases may walk the key's index, and
        # so through all rows of the table, to find that none is due.
        some = deployments.order_by().values_list("pk", flat=True)[:limit]
        deployments = deployments.filter(pk__one_of=list(some))
    rows = deployments.order_by("pk").select_for_update(no_key=True)
    found = list(rows.values_list(*LockedDeployment._fields))
    if sum(map(bool, rows.query.alias_refcount.values())) > 1:
        raise ValueError("a query that is locked may name no other table but in subqueries")
    return [LockedDeployment._make(row) for row in found]


def digests_of(rows: Iterable[LockedDeployment]) -> dict[int, str | None]:
    """By variant, the SHA-256 of what these deployments send."""
    variants = Variant.objects.filter(pk__in={row.variant_id for row in rows})
    return dict(variants.values_list("pk", "artifact_id"))
