"""One connection of the embedded broker: bounded in what it reads, and certain to end."""

from __future__ import annotations

import asyncio
import logging

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import ApplicationMessage, Session

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 2.0
MAX_QUEUED_MESSAGES = 10_000


class LimitedReader(StreamReaderAdapter):  # type: ignore[misc]
    """Refuses a packet whose header announces more than the limit, before reading it."""

    def __init__(self, reader: asyncio.StreamReader, max_bytes: int) -> None:
        super().__init__(reader)
        self._max_bytes = max_bytes

    async def read(self, n: int = -1) -> bytes:
        if n > self._max_bytes:
            raise ConnectionError(f"a packet of {n} bytes is over {self._max_bytes}")
        content: bytes = await super().read(n)
        return content


class AbortableWriter(StreamWriterAdapter):  # type: ignore[misc]
    """A writer that knows its listener, and ends without waiting for a peer that reads no more."""

    def __init__(self, writer: asyncio.StreamWriter, listener: str) -> None:
        super().__init__(writer)
        self.listener = listener

    def abort(self) -> None:
        """End the connection; what is still in the buffer is lost."""
        self.is_closed = True
        self._writer.transport.abort()


class EndingHandler(BrokerProtocolHandler):  # type: ignore[misc]
    """A connection that ends: when it is silent beyond its keep-alive, and when it is told to."""

    async def stop(self) -> None:
        writer = self.writer
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await super().stop()
        except TimeoutError:
            # The peer does not read, or wait_for swallowed the reader's cancellation (Python 3.11).
            log.warning("a connection did not end by itself")
            if isinstance(writer, AbortableWriter):
                writer.abort()

    def handle_read_timeout(self) -> None:
        if self._disconnect_waiter is not None and not self._disconnect_waiter.done():
            self._disconnect_waiter.set_result(None)


def keep_for_later(session: Session, message: ApplicationMessage) -> None:
    """Queue for a lasting session's next connection; retained ones come by themselves then."""
    if session.clean_session or not message.qos or message.retain:
        return
    if session.retained_messages.qsize() >= MAX_QUEUED_MESSAGES:
        lost = session.retained_messages.get_nowait()
        log.warning("queue full: %s lost a message of %s", session.client_id, lost.topic)
    session.retained_messages.put_nowait(message)
