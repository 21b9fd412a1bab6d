"""MQTT 3.1.1 packets and thousands of sessions in one thread, as light as Python allows.

A benchmark's peer, not a library: QoS 1, clean sessions, no reconnection, no keep-alive. What a
broker may not send to such a client raises.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

CONNACK, PUBLISH, PUBACK, SUBACK, UNSUBACK = 2, 3, 4, 9, 11
_READ_BYTES = 256 * 1024
_LOOK_S = 0.2


def text(value: str) -> bytes:
    encoded = value.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def packet(head: int, body: bytes) -> bytes:
    """A packet: its first byte, the length in base 128, the body."""
    length, digits = len(body), bytearray([head])
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(digits) + body


def connect(client_id: str, user: str, password: str) -> bytes:
    """A clean session without keep-alive: the benchmark's own end is near."""
    flags = b"\x04\xc2\x00\x00"
    return packet(0x10, text("MQTT") + flags + text(client_id) + text(user) + text(password))


def publish(topic: str, payload: bytes, identifier: int, retain: bool = False) -> bytes:
    return packet(0x32 | retain, text(topic) + struct.pack(">H", identifier) + payload)


def subscribe(topics: Sequence[str], identifier: int) -> bytes:
    filters = b"".join(text(topic) + b"\x01" for topic in topics)
    return packet(0x82, struct.pack(">H", identifier) + filters)


def unsubscribe(topics: Sequence[str], identifier: int) -> bytes:
    filters = b"".join(text(topic) for topic in topics)
    return packet(0xA2, struct.pack(">H", identifier) + filters)


class Session:
    """One connection; `told` gets each message, already acknowledged."""

    __slots__ = (
        "_arrived",
        "_identifier",
        "_is_reading",
        "_is_waiting",
        "_wanted",
        "_waiting",
        "acks",
        "fleet",
        "name",
        "socket",
        "told",
    )

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.fleet = fleet
        self.name = name
        self.told: Callable[[Session, str, bytes], None] = ignore
        self.acks = {CONNACK: 0, PUBACK: 0, SUBACK: 0, UNSUBACK: 0}
        self._arrived: list[bytes] = []
        self._wanted = 0
        self._waiting = bytearray()
        self._identifier = 0
        self._is_reading = self._is_waiting = False
        self.socket = socket.socket()

    def open(self, port: int, user: str, password: str, client_id: str) -> None:
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.send(connect(client_id, user, password))

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        self.send(publish(topic, payload, self._next(), retain))

    def subscribe(self, topics: Sequence[str]) -> None:
        self.send(subscribe(topics, self._next()))

    def unsubscribe(self, topics: Sequence[str]) -> None:
        self.send(unsubscribe(topics, self._next()))

    def send(self, data: bytes) -> None:
        """At the end of what is being read, so that many packets go out as one."""
        self._waiting += data
        if not self._is_reading:
            self.flush()

    def flush(self) -> None:
        """What the socket takes now; the rest when it can be written again."""
        with suppress(BlockingIOError):
            del self._waiting[: self.socket.send(self._waiting)]
        if bool(self._waiting) != self._is_waiting:
            self._is_waiting = bool(self._waiting)
            writing = select.EPOLLOUT if self._is_waiting else 0
            self.fleet.watch(self, select.EPOLLIN | writing)

    def read(self) -> None:
        """Take what has come; a large packet is put together only when it is whole."""
        data = self.socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError(f"the broker has closed the connection of {self.name}")
        self._arrived.append(data)
        self._wanted -= len(data)
        if self._wanted > 0:
            return
        self._is_reading = True
        rest = self._packets(b"".join(self._arrived) if len(self._arrived) > 1 else data)
        self._arrived = [rest] if rest else []
        self._is_reading = False
        if self._waiting:
            self.flush()

    def _packets(self, data: bytes) -> bytes:
        """Act on each whole packet; gives what is left, and notes how much that still wants."""
        position, end = 0, len(data)
        acknowledged = b""
        self._wanted = 0
        while end - position >= 2:
            length, shift, start = 0, 0, position + 1
            while start < end:
                digit = data[start]
                length |= (digit & 0x7F) << shift
                start, shift = start + 1, shift + 7
                if digit < 0x80:
                    break
            if data[start - 1] >= 0x80 or start + length > end:
                self._wanted = max(1, start + length - end)
                break
            acknowledged += self._take(data[position], data, start, start + length)
            position = start + length
        if acknowledged:
            self.send(acknowledged)
        return data[position:]

    def _take(self, head: int, data: bytes, start: int, end: int) -> bytes:
        kind = head >> 4
        if kind != PUBLISH:
            self._count(kind, data[start:end])
            return b""
        after = start + 2 + int.from_bytes(data[start : start + 2], "big")
        topic = data[start + 2 : after].decode()
        if not head & 0x06:
            self.told(self, topic, data[after:end])
            return b""
        self.told(self, topic, data[after + 2 : end])
        return b"\x40\x02" + data[after : after + 2]

    def _count(self, kind: int, body: bytes) -> None:
        refused = (kind == CONNACK and body[1]) or (kind == SUBACK and 0x80 in body[2:])
        if refused:
            raise ConnectionError(f"the broker refuses {self.name}: packet {kind}, {body.hex()}")
        self.acks[kind] += 1
        self.fleet.acks[kind] += 1

    def _next(self) -> int:
        self._identifier = self._identifier % 0xFFFF + 1
        return self._identifier


def ignore(session: Session, topic: str, payload: bytes) -> None:
    """What is told to nobody."""


class Fleet:
    """Sessions by name, and the loop that serves them all."""

    def __init__(self, port: int) -> None:
        self.sessions: dict[str, Session] = {}
        self.acks = {CONNACK: 0, PUBACK: 0, SUBACK: 0, UNSUBACK: 0}
        self._joined = 0
        self._port = port
        self._epoll = select.epoll()
        self._by_number: dict[int, Session] = {}

    def join(self, name: str, password: str, user: str = "", at_once: int = 50) -> Session:
        """A new session under an account; at most `at_once` wait for their answers."""
        session = Session(self, name)
        session.open(self._port, user or name, password, name)
        self._by_number[session.socket.fileno()] = session
        self._epoll.register(session.socket, select.EPOLLIN)
        self.sessions[name] = session
        self._joined += 1
        self.serve(lambda: self._joined - self.acks[CONNACK] < at_once, 60)
        return session

    def leave(self, session: Session) -> None:
        """One session ends with DISCONNECT."""
        session.socket.sendall(b"\xe0\x00")
        del self.sessions[session.name], self._by_number[session.socket.fileno()]
        self._epoll.unregister(session.socket)
        session.socket.close()

    def watch(self, session: Session, events: int) -> None:
        self._epoll.modify(session.socket, events)

    def serve(self, until: Callable[[], bool], timeout_s: float) -> None:
        """Serve every session until something holds that a message can bring about."""
        ends = time.monotonic() + timeout_s
        sessions = self._by_number
        while not until():
            assert time.monotonic() < ends, f"waited {timeout_s} s in vain"
            for number, event in self._epoll.poll(_LOOK_S, 256):
                session = sessions[number]
                if event & select.EPOLLOUT:
                    session.flush()
                if event & ~select.EPOLLOUT:
                    session.read()

    def close(self) -> None:
        for session in self.sessions.values():
            session.socket.close()
        self._epoll.close()
