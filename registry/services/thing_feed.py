"""Server-sent events of the directory: one look at the database for all listeners of a process.

A listener keeps nothing but the number of the last event it was sent. It reads the next ones from
the database when its client has taken those before, so a slow client costs no memory, and any web
process can go on where another stopped.

Sources: HTML Living Standard, section 9.2 (server-sent events); W3C WoT Discovery, section 7.3.2.3.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.db import connections

from registry.models import ThingEvent, ThingEventKind
from registry.services import thing_events

log = structlog.get_logger(__name__)
T = TypeVar("T")

# By this header a response says that the stream of a subscription is to follow it.
STREAM_HEADER = "X-TinyFleet-Events"
_AT_ONCE = 20  # events that a listener holds at a time
_READING_THREADS = 2


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a client wants to hear; `after` is the number of the last event that it knows."""

    kinds: tuple[str, ...]
    diff: bool = False
    after: int | None = None

    def to_text(self) -> str:
        """As one line of ASCII."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Subscription:
        """What `to_text` wrote."""
        said = json.loads(text)
        return cls(tuple(said["kinds"]), said["diff"], said["after"])


class Feed:
    """The events of one web process; made once, used within one event loop."""

    def __init__(self) -> None:
        self.listeners = 0
        self._latest = 0
        self._news = asyncio.Condition()
        self._watch: asyncio.Task[None] | None = None
        self._threads = ThreadPoolExecutor(_READING_THREADS, thread_name_prefix="thing-events")

    @property
    def is_full(self) -> bool:
        """Whether as many listen as may."""
        return self.listeners >= settings.THINGS_EVENTS_LISTENERS_MAX

    async def listen(self, subscription: Subscription) -> AsyncIterator[bytes]:
        """Pieces of an event stream, a sign of life where nothing happens, for a bounded time."""
        self.listeners += 1
        try:
            ends = time.monotonic() + settings.THINGS_EVENTS_LIFE_S
            position = await self._begin(subscription)
            yield b": listening\n\n"
            while time.monotonic() < ends:
                until = await self._wait_beyond(position)
                if until == position:
                    yield b": nothing new\n\n"
                while position < until:
                    events, position = await self._next(position, until, subscription.kinds)
                    for event in events:
                        yield encoded(event, subscription.diff)
        finally:
            self.listeners -= 1

    async def _begin(self, subscription: Subscription) -> int:
        """From the last event that the client knows; from now on where that is none of ours."""
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look())
        known, newest = subscription.after, await self._read(thing_events.latest)
        return newest if known is None or known > newest else known

    async def _wait_beyond(self, position: int) -> int:
        """The newest number once it is beyond, or the same again when it was quiet for long."""
        async with self._news:
            try:
                async with asyncio.timeout(settings.THINGS_EVENTS_HEARTBEAT_S):
                    await self._news.wait_for(lambda: self._latest > position)
            except TimeoutError:
                return position
        return self._latest

    async def _next(
        self, position: int, until: int, kinds: tuple[str, ...]
    ) -> tuple[list[ThingEvent], int]:
        """Some events, and the number up to which there are no others of these kinds."""
        events = await self._read(lambda: thing_events.between(position, until, kinds, _AT_ONCE))
        full = len(events) == _AT_ONCE
        return events, (events[-1].number or until) if full else until

    async def _look(self) -> None:
        """Ask the database for news while anybody listens."""
        while self.listeners:
            try:
                latest = await self._read(thing_events.latest)
            except Exception:  # whatever it is, the listeners are still there
                log.exception("thing_events_not_read")
                latest = self._latest
            if latest > self._latest:
                self._latest = latest
                async with self._news:
                    self._news.notify_all()
            await asyncio.sleep(settings.THINGS_EVENTS_POLL_S)

    async def _read(self, read: Callable[[], T]) -> T:
        """In one of a few threads of our own, which keep no connection open in between."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _closing, read)


def _closing(read: Callable[[], T]) -> T:
    try:
        return read()
    finally:
        connections.close_all()


def encoded(event: ThingEvent, diff: bool) -> bytes:
    """An event as the stream has it: its number, its kind and one line of JSON."""
    data: dict[str, Any] = {"id": event.thing_id}
    if diff and event.kind != ThingEventKind.DELETED:
        data = json.loads(event.detail)
    text = json.dumps(data, ensure_ascii=False)
    return f"id: {event.number}\nevent: {event.kind}\ndata: {text}\n\n".encode()
