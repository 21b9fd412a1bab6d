"""TLS on both sides of a link that has to read what passes: a board's end and a broker's end.

The board's end is a server with the installation's own certificate, which asks boards for theirs.
The broker's end signs in with the certificate of the board whose client id stands in CONNECT, read
from its flash. In between goes plain MQTT, as the link wants it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.faults.packets import client_id, read_packet

READ_BYTES = 64 * 1024

Carry = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class TlsEnds:
    """`board_port` is where boards connect, `broker_port` where the link takes for the broker."""

    def __init__(self, var: Path, mqtts_port: int) -> None:
        self._var = var
        self._mqtts_port = mqtts_port
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.board_port, self.broker_port = (s.getsockname()[1] for s in self._sockets)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._link_port = 0

    def start(self, link_port: int) -> None:
        """Carry boards' connections to the link, and the link's to the broker."""
        self._link_port = link_port
        self._thread.start()
        for_boards = self._serve(self._sockets[0], self._from_board, self._board_context())
        for served in (for_boards, self._serve(self._sockets[1], self._to_broker, None)):
            asyncio.run_coroutine_threadsafe(served, self._loop).result(10)

    def stop(self) -> None:
        """Cut everything."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
        self._loop.close()
        for listener in self._sockets:
            listener.close()

    async def _serve(
        self, listener: socket.socket, carry: Carry, context: ssl.SSLContext | None
    ) -> None:
        await asyncio.start_server(carry, sock=listener, ssl=context)

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _from_board(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward = await asyncio.open_connection("127.0.0.1", self._link_port)
        except OSError:
            writer.close()
            return
        await _both_ways((reader, writer), onward)

    async def _to_broker(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await read_packet(reader)
            onward = await asyncio.open_connection(
                "127.0.0.1", self._mqtts_port, ssl=self._context_of(client_id(first))
            )
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        onward[1].write(first)
        await _both_ways((reader, writer), onward)

    def _board_context(self) -> ssl.SSLContext:
        tls = self._var / "broker" / "tls"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "server.pem", tls / "server-key.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self._var / "keys" / "authority.pem")
        return context

    def _context_of(self, device: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._var / "keys" / "authority.pem")
        context.load_cert_chain(self._var / "devices" / device / "credential.pem")
        return context


async def _both_ways(
    one: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    other: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Until either end is gone; then neither is left."""
    pumps = [
        asyncio.create_task(_pump(one[0], other[1])),
        asyncio.create_task(_pump(other[0], one[1])),
    ]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        for writer in (one[1], other[1]):
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(READ_BYTES):
            writer.write(data)
            await writer.drain()
    except OSError:
        return
