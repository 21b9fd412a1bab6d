"""The scheduler's loops: one a part, so that a part that fails or hangs holds up no other."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import close_old_connections, connection
from django.utils import timezone

from orchestrator.services import learning, leases, mlflow_watch, rollouts
from orchestrator.services.compression_offers import OfferRounds
from registry.services import graph_sync, thing_directory, thing_events

log = structlog.get_logger(__name__)

LEASE = "scheduler"
LEASE_TTL_S = 6.0
MAX_PAUSE_S = 30.0
JOIN_S = 3.0
_DRAIN_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Part:
    """Work that is due again and again; `run` takes the time and returns how much it did."""

    name: str
    run: Callable[[datetime], int | None]


def parts() -> list[Part]:
    """What the scheduler does. Only the graph part touches the network."""
    store = graph_sync.graph_store()
    return [
        Part("rollouts", rollouts.tick),
        Part("graph", lambda now: graph_sync.drain(store, _DRAIN_LIMIT)),
        Part("learning", learning.tick),
        Part("mlflow", mlflow_watch.tick),
        Part("offers", OfferRounds().tick),
        Part("things", _look_after_things),
    ]


def _look_after_things(now: datetime) -> int:
    """End registrations that have expired, and number events, so that old ones are forgotten."""
    thing_events.latest()
    return thing_directory.purge(now)


class Scheduler:
    """Leads if nobody else does, and runs every part in a thread of its own while it leads."""

    def __init__(self, parts: Sequence[Part], interval_s: float, stop: threading.Event) -> None:
        self._parts = parts
        self._interval_s = interval_s
        self._stop = stop
        self._leading = threading.Event()
        self.owner = f"{socket.gethostname()}:{os.getpid()}"

    def run(self) -> None:
        """Until `stop` is set; then the lease is free at once.

        A part that hangs on the network is left behind: what it did not commit did not happen.
        """
        threads = [
            threading.Thread(target=self._loop, args=[part], name=part.name, daemon=True)
            for part in self._parts
        ]
        for thread in threads:
            thread.start()
        try:
            self._keep_lease()
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(JOIN_S)
            leases.give_up(LEASE, self.owner, timezone.now())
            connection.close()

    def _keep_lease(self) -> None:
        while not self._stop.is_set():
            self._renew()
            self._stop.wait(LEASE_TTL_S / 3)

    def _renew(self) -> None:
        try:
            close_old_connections()
            leads = leases.take(LEASE, self.owner, timezone.now(), LEASE_TTL_S)
        except Exception:
            log.exception("lease_not_renewed", owner=self.owner)
            leads = False
        if leads != self._leading.is_set():
            log.info("leading" if leads else "following", owner=self.owner)
        if leads:
            self._leading.set()
        else:
            self._leading.clear()

    def _loop(self, part: Part) -> None:
        failures = 0
        try:
            while not self._stop.is_set():
                if self._leading.is_set():
                    failures = 0 if run_part(part, timezone.now()) else failures + 1
                self._stop.wait(min(self._interval_s * 2 ** min(failures, 20), MAX_PAUSE_S))
        finally:
            connection.close()


def run_part(part: Part, now: datetime) -> bool:
    """One turn of one part; False where it failed, which is logged and left to the next turn."""
    try:
        close_old_connections()
        part.run(now)
    except Exception:
        log.exception("part_failed", part=part.name)
        return False
    return True
