"""Streams of server-sent events beside Django, which decides who gets one.

Django's answer is held back where it bears the header that orders a stream. By then its request is
done and its thread is free; what follows is one coroutine a listener.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeAlias

import structlog

from registry.services.thing_feed import STREAM_HEADER, Feed, Subscription

log = structlog.get_logger(__name__)

Message: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Any, Receive, Send], Awaitable[None]]

_PATH = "/events"
_ORDER = STREAM_HEADER.lower().encode()
_FULL = {
    "type": "about:blank",
    "title": "Service Unavailable",
    "status": 503,
    "detail": "As many clients listen to events as may.",
}


class WithEventStreams:
    """An ASGI application that lets another answer, and streams where that one says so."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._feed = Feed()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] != "http" or not scope["path"].startswith(_PATH):
            await self._application(scope, receive, send)
            return
        held = _HeldAnswer(send)
        await self._application(scope, receive, held.send)
        if held.subscription is not None:
            await self._stream(held, receive, send)

    async def _stream(self, held: _HeldAnswer, receive: Receive, send: Send) -> None:
        """Until the stream or the client ends."""
        if self._feed.is_full:
            await _refuse(send)
            return
        assert held.subscription is not None
        pieces = self._feed.listen(held.subscription)
        writing = asyncio.create_task(_write(held.start, pieces, send))
        leaving = asyncio.create_task(_left(receive))
        await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in (writing, leaving):
            task.cancel()
        await asyncio.gather(writing, leaving, return_exceptions=True)


class _HeldAnswer:
    """Passes an answer on, unless its head orders a stream."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.start: Message = {}
        self.subscription: Subscription | None = None

    async def send(self, message: Message) -> None:
        """A message of the application."""
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            order = next((headers[name] for name in headers if name.lower() == _ORDER), None)
            if order is not None:
                self.subscription = Subscription.from_text(order.decode("ascii"))
                self.start = message
        if self.subscription is None:
            await self._send(message)


async def _write(start: Message, pieces: AsyncIterator[bytes], send: Send) -> None:
    dropped = {_ORDER, b"content-length"}
    headers = [(name, value) for name, value in start["headers"] if name.lower() not in dropped]
    await send({**start, "headers": headers})
    try:
        async with aclosing(pieces) as stream:  # type: ignore[type-var]  # a generator, has aclose
            async for piece in stream:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    except OSError:  # the client is gone
        return
    except Exception:
        log.exception("event_stream_failed")
    await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"application/problem+json"), (b"retry-after", b"30")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(_FULL).encode()})
