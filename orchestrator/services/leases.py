"""One leader among several processes, without a server for it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from orchestrator.models import Lease


def take(name: str, owner: str, now: datetime, ttl_s: float) -> bool:
    """Lead, or go on leading, for `ttl_s` from `now`; False while another does.

    One conditional update, so of several claimants the database lets one through. Clocks of
    several machines must agree to well within `ttl_s`; two leaders for a moment do no harm, because
    each step of a tick is conditional itself.
    """
    Lease.objects.get_or_create(name=name, defaults={"until": now})
    free = Q(owner=owner) | Q(until__lte=now)
    until = now + timedelta(seconds=ttl_s)
    return Lease.objects.filter(free, name=name).update(owner=owner, until=until) == 1


def give_up(name: str, owner: str, now: datetime) -> None:
    """Let another take over at once instead of after the time to live."""
    Lease.objects.filter(name=name, owner=owner).update(owner="", until=now)
