"""What happens to registrations, as a numbered record that any number of web processes read.

An event is written without a number in the transaction that caused it. Whoever looks for news first
gives numbers to what has been committed, under a lock: so numbers are without gaps, in an order
that is the same for all, and no event ever appears before one that was read already.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.db import transaction

from registry.models import ThingEvent, ThingEventCounter, ThingEventKind

_AT_ONCE = 1000


def record(kind: ThingEventKind, thing_id: str, detail: dict[str, Any] | None) -> None:
    """Note what happened; call within its transaction."""
    text = "" if detail is None else json.dumps(detail, ensure_ascii=False)
    ThingEvent.objects.create(kind=kind, thing_id=thing_id, detail=text)


def latest() -> int:
    """The number of the newest event; what has none yet gets one first."""
    if ThingEvent.objects.filter(number=None).exists():
        return number_events()
    counter = ThingEventCounter.objects.first()
    return counter.last if counter else 0


@transaction.atomic
def number_events() -> int:
    """Number what was committed, forget what is beyond THINGS_EVENTS_KEPT; the newest number."""
    ThingEventCounter.objects.get_or_create(pk=1)
    counter = ThingEventCounter.objects.select_for_update().get(pk=1)
    waiting = list(ThingEvent.objects.filter(number=None).order_by("id").only("id")[:_AT_ONCE])
    for event in waiting:
        counter.last += 1
        event.number = counter.last
    ThingEvent.objects.bulk_update(waiting, ["number"])
    counter.save()
    ThingEvent.objects.filter(number__lte=counter.last - settings.THINGS_EVENTS_KEPT).delete()
    return counter.last


def between(after: int, until: int, kinds: Collection[str], most: int) -> list[ThingEvent]:
    """The first `most` events of these kinds with numbers in (after, until], in their order."""
    events = ThingEvent.objects.filter(number__gt=after, number__lte=until, kind__in=kinds)
    return list(events.order_by("number")[:most])
