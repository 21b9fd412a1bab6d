"""One thread for all devices: sockets by a selector, time by a heap."""

from __future__ import annotations

import heapq
import logging
import selectors
import socket
import time
from collections.abc import Iterable

from device_firmware_sim.client import Link
from device_firmware_sim.sensors import StreamError, World

log = logging.getLogger(__name__)

LOOK_AROUND_S = 0.5
DEPARTURE_S = 2.0


class Clock:
    """UNIX seconds that never jump: the wall clock at the start, a steady one since."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """UNIX seconds."""
        return self._offset + time.monotonic()


class Loop:
    """Drives links until `stop` is called, from a signal handler or another thread."""

    def __init__(self, links: Iterable[Link], world: World, clock: Clock) -> None:
        self._links = list(links)
        self._world = world
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._watched: dict[Link, tuple[socket.socket, int]] = {}
        self._timers: list[tuple[float, int]] = []
        self._wake_at = [0.0] * len(self._links)
        self._position = {link: position for position, link in enumerate(self._links)}
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._is_stopping = False
        self._look_at = 0.0

    def stop(self) -> None:
        """Let `run` say goodbye for every device and return."""
        self._is_stopping = True
        try:
            self._ringer.send(b"!")
        except (BlockingIOError, OSError):
            return  # Somebody rang already, or the loop is gone.

    def run(self) -> None:
        """Work until stopped."""
        self._selector.register(self._bell, selectors.EVENT_READ)
        for link in self._links:
            self._attend_to(link)
        try:
            while not self._is_stopping:
                self._turn()
            self._depart()
        finally:
            self._close()

    def _turn(self) -> None:
        """Wait for sockets or time, then serve whoever is concerned."""
        self._look_around()
        self._serve_sockets(self._wait_s())
        now = self._clock.now()
        while self._timers and self._timers[0][0] <= now and not self._is_stopping:
            at, position = heapq.heappop(self._timers)
            if at == self._wake_at[position]:
                self._wake_at[position] = 0.0
                self._links[position].tick(now)
                self._attend_to(self._links[position])

    def _wait_s(self) -> float:
        due_at = self._timers[0][0] if self._timers else float("inf")
        return min(max(due_at - self._clock.now(), 0.0), LOOK_AROUND_S)

    def _serve_sockets(self, wait_s: float) -> None:
        for key, events in self._selector.select(wait_s):
            if isinstance(key.data, Link):
                readable, writable = events & selectors.EVENT_READ, events & selectors.EVENT_WRITE
                key.data.ready(self._clock.now(), bool(readable), bool(writable))
                self._attend_to(key.data)

    def _attend_to(self, link: Link) -> None:
        """Watch the link's socket as it stands now, and note when it next wants time."""
        self._watch(link)
        position, wake_at = self._position[link], link.wake_at
        if wake_at != self._wake_at[position]:
            self._wake_at[position] = wake_at
            heapq.heappush(self._timers, (wake_at, position))

    def _watch(self, link: Link) -> None:
        found = link.socket
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.wants_write else 0)
        wanted = None if found is None else (found, events)
        before = self._watched.get(link)
        if wanted == before:
            return
        if before is not None:
            # A socket that is closed already is found by identity; its number is not reused before
            # this, because each link is attended to as soon as it was served.
            self._selector.unregister(before[0])
            del self._watched[link]
        if wanted is not None:
            self._selector.register(wanted[0], wanted[1], link)
            self._watched[link] = wanted

    def _look_around(self) -> None:
        now = self._clock.now()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_AROUND_S
        try:
            self._world.refresh()
        except StreamError as error:
            log.warning("the world stays as it was: %s", error)

    def _depart(self) -> None:
        """Say goodbye everywhere, and wait a little for it to be sent."""
        deadline = self._clock.now() + DEPARTURE_S
        for link in self._links:
            link.leave(self._clock.now())
            self._watch(link)
        while self._watched and self._clock.now() < deadline:
            self._serve_sockets(0.1)

    def _close(self) -> None:
        for link in self._links:
            link.drop()
        self._selector.close()
        self._bell.close()
        self._ringer.close()
