"""Measurements on their way out: counted into packs, kept until the server has them.

Delivery is at least once: whatever is not acknowledged is sent again on the next connection, and
after a while on this one. (boot, sequence) names a pack, so the server keeps each one once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import islice

from orchestrator.protocol.messages import Acknowledgement, TelemetryPack

WINDOW_PACKS = 32
RESEND_AFTER_S = 20.0
RESEND_AFTER_MAX_S = 240.0


class Meter:
    """Counts samples until a pack is full."""

    def __init__(self) -> None:
        self.samples = 0
        self.labelled = 0
        self._hits = 0
        self._latency_ms = 0.0

    def count(self, hit: bool | None, latency_ms: float) -> None:
        """One inference: whether it was right (None: nobody knows), and how long it took."""
        self.samples += 1
        self._latency_ms += latency_ms
        if hit is not None:
            self.labelled += 1
            self._hits += hit

    @property
    def accuracy(self) -> float | None:
        """Fraction of the labelled samples that were right."""
        return self._hits / self.labelled if self.labelled else None

    @property
    def latency_ms(self) -> float | None:
        """Mean time of one inference in milliseconds."""
        return self._latency_ms / self.samples if self.samples else None


class Ring:
    """A bounded queue of one boot's packs, oldest first; full, it drops the oldest and counts it.

    At most WINDOW_PACKS are under way without an acknowledgement, so that a server which is down
    finds a short queue at the broker, not a lost one.
    """

    def __init__(self, boot: int, limit_packs: int) -> None:
        self._boot = boot
        self._packs: deque[TelemetryPack] = deque()
        self._limit = limit_packs
        self._sent = 0
        self._wait_s = RESEND_AFTER_S
        self._quiet_since: float | None = None
        self.next_sequence = 1
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._packs)

    def put(self, pack: TelemetryPack) -> None:
        """Keep a pack under this boot's next number."""
        if len(self._packs) == self._limit:
            self._packs.popleft()
            self.dropped += 1
        self._packs.append(replace(pack, boot=self._boot, sequence=self.next_sequence))
        self.next_sequence += 1

    def rewind(self) -> None:
        """A new connection: whatever is not acknowledged goes out again."""
        self._sent = 0
        self._quiet_since = None

    def take(self, now: float) -> list[TelemetryPack]:
        """The packs to send now, as far as the window lets them; each says what is still here."""
        window = list(islice(self._packs, WINDOW_PACKS))
        due = [pack for pack in window if pack.sequence > self._sent]
        if due:
            self._sent = due[-1].sequence
            self._quiet_since = now
        return [replace(pack, held_from=window[0].sequence) for pack in due]

    def acknowledge(self, kept: Acknowledgement, now: float) -> None:
        """Forget what the server has kept. A word about a later boot cannot be about these."""
        if kept.boot != self._boot:
            return
        before = len(self._packs)
        while self._packs and self._packs[0].sequence <= kept.sequence:
            self._packs.popleft()
        if len(self._packs) < before:
            self._wait_s = RESEND_AFTER_S
            self._quiet_since = now

    @property
    def resend_at(self) -> float | None:
        """When unacknowledged packs should go out again; None where none is under way."""
        if not self._packs or self._quiet_since is None:
            return None
        return self._quiet_since + self._wait_s

    def resend(self, now: float) -> None:
        """Let `take` give them again where the server has been silent for too long."""
        if self.resend_at is not None and now >= self.resend_at:
            self._wait_s = min(2 * self._wait_s, RESEND_AFTER_MAX_S)
            self.rewind()
