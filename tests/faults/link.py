"""What lies between devices and a broker: slow if it should be, and held where a test wants it.

It splits each direction into MQTT packets, so it knows what devices report and can stop a device's
words before a certain one: the server's view of an update then stands still at the one before.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from orchestrator.protocol import topics
from orchestrator.protocol.encoding import decode_report
from orchestrator.protocol.messages import DeploymentStatus, Report
from orchestrator.protocol.topics import TopicKind

PUBLISH = 3
_PIECE_S = 0.05


@dataclass(frozen=True, slots=True)
class Said:
    """A device's report as it went over the link."""

    device: str
    report: Report


class Link:
    """Listens on a port of its own and carries each connection on to the broker.

    `bytes_per_s` bounds each connection in each direction; None: as fast as it goes. It may be
    changed at any time. `delivered_bytes` counts what devices were sent.
    """

    def __init__(self, broker_port: int, bytes_per_s: float | None = None) -> None:
        self.bytes_per_s = bytes_per_s
        self.delivered_bytes = 0
        self._broker_port = broker_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._gate = threading.Condition()
        self._held: DeploymentStatus | None = None
        self._is_open = True
        self._sockets: set[socket.socket] = set()
        self.reports: list[Said] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def hold_before(self, status: DeploymentStatus) -> None:
        """From now on no device gets a report of this status through, nor anything after it."""
        with self._gate:
            self._held = status

    def release(self) -> None:
        """Let everything through again, what was held first."""
        with self._gate:
            self._held = None
            self._gate.notify_all()

    def close(self) -> None:
        """Cut every connection and take no more."""
        with self._gate:
            self._is_open = False
            self._held = None
            self._gate.notify_all()
            sockets = set(self._sockets)
        _end(self._listener)
        self._listener.close()
        for each in sockets:
            _end(each)

    def _accept(self) -> None:
        while True:
            try:
                device, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=[device], daemon=True).start()

    def _carry(self, device: socket.socket) -> None:
        try:
            broker = socket.create_connection(("127.0.0.1", self._broker_port), 5)
        except OSError:
            device.close()
            return
        broker.settimeout(None)
        both = (device, broker)
        with self._gate:
            self._sockets |= set(both)
            is_open = self._is_open
        for each in both:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if is_open:
            down = threading.Thread(
                target=self._pump, args=[broker, device, self._count], daemon=True
            )
            down.start()
            self._pump(device, broker, self._heard)
            down.join()
        with self._gate:
            self._sockets -= set(both)
        for each in both:
            each.close()

    def _pump(
        self, source: socket.socket, sink: socket.socket, look: Callable[[bytes], None]
    ) -> None:
        """One direction of one connection, until either end is gone; then neither is left."""
        try:
            with source.makefile("rb") as stream:
                for packet in _packets(stream):
                    look(packet)
                    self._send(sink, packet)
        except OSError:
            return
        finally:
            _end(source)
            _end(sink)

    def _send(self, sink: socket.socket, packet: bytes) -> None:
        while packet:
            rate = self.bytes_per_s
            size = len(packet) if rate is None else max(1, int(rate * _PIECE_S))
            piece, packet = packet[:size], packet[size:]
            sink.sendall(piece)
            if rate is not None:
                time.sleep(len(piece) / rate)

    def _count(self, packet: bytes) -> None:
        with self._gate:
            self.delivered_bytes += len(packet)

    def _heard(self, packet: bytes) -> None:
        """Note a report, and wait where it is held."""
        said = _report_in(packet)
        if said is None:
            return
        with self._gate:
            self._gate.wait_for(lambda: self._held is not said.report.status)
            self.reports.append(said)


def _packets(stream: BinaryIO) -> Iterator[bytes]:
    """Whole MQTT packets (MQTT 3.1.1, section 2.2)."""
    while head := stream.read(1):
        length, shift = 0, 0
        while True:
            byte = stream.read(1)
            if not byte:
                return
            head += byte
            length |= (byte[0] & 0x7F) << shift
            shift += 7
            if not byte[0] & 0x80:
                break
        body = stream.read(length)
        if len(body) < length:
            return
        yield head + body


def _report_in(packet: bytes) -> Said | None:
    if packet[0] >> 4 != PUBLISH:
        return None
    start = next(at for at in range(1, 5) if not packet[at] & 0x80) + 1
    end = start + 2 + int.from_bytes(packet[start : start + 2], "big")
    topic = topics.parse(packet[start + 2 : end].decode())
    if topic.kind is not TopicKind.REPORT or topic.device is None:
        return None
    identifier_bytes = 2 if packet[0] & 0x06 else 0
    return Said(topic.device, decode_report(packet[end + identifier_bytes :]))


def _end(each: socket.socket) -> None:
    """Wake whoever reads from it; it may be gone already."""
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
