"""Fetching an artifact block by block, in windows, resumable, deaf to what it did not ask for."""

from __future__ import annotations

from collections.abc import Sequence

from device_firmware_sim.actions import Action, Subscribe, Unsubscribe
from device_firmware_sim.boot import BlockJournal, Image
from device_firmware_sim.flash import Region
from orchestrator.protocol import topics
from orchestrator.protocol.blocks import (
    CRC_BYTES,
    WHOLE_FILE,
    WINDOW,
    BlockError,
    block_count,
    block_size,
    unframe,
)
from orchestrator.protocol.topics import Topic

MAX_BAD_BLOCKS = 8
"""In a row: a poor link brings a good one between, so only one that never does ends the update."""
STALL_AFTER_S = 3.0
STALL_AFTER_MAX_S = 60.0

_PACKET_OVERHEAD_BYTES = 16  # fixed header, topic length and packet identifier of a PUBLISH


class DownloadFailed(Exception):
    """Blocks stayed bad however often they were asked for."""


class Download:
    """One artifact on its way into one slot. Blocks may come in any order and more than once."""

    def __init__(self, image: Image, exponent: int, slot: Region, journal: BlockJournal) -> None:
        self.image = image
        self.exponent = exponent
        self._slot = slot
        self._journal = journal
        self._count = block_count(image.size, exponent)
        if not journal.continues(image, exponent):
            journal.begin(slot, image, exponent)
        self._missing = journal.missing(self._count)
        self._asked: set[int] = set()
        self._bad = 0
        self._wait_s = STALL_AFTER_S
        self.stalls_at: float | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every block is in the slot."""
        return not self._missing

    @property
    def progress(self) -> float:
        """The fraction of the blocks that is in the slot."""
        return 1 - len(self._missing) / self._count

    def ask(self, now: float) -> list[Action]:
        """Subscribe to what is missing of the window; a new window where that one is done."""
        if not self._asked:
            self._asked = set(sorted(self._missing)[:WINDOW])
        self.stalls_at = now + self._wait_s
        wanted = self._topics(sorted(self._asked & self._missing))
        return [Subscribe(wanted)] if wanted else []

    def ask_again(self, now: float) -> list[Action]:
        """Nothing came for a while: the same again, and wait longer."""
        self._wait_s = min(2 * self._wait_s, STALL_AFTER_MAX_S)
        return self.ask(now)

    def receive(self, topic: Topic, payload: bytes, now: float) -> list[Action]:
        """Take a missing block into flash; DownloadFailed after too many bad ones."""
        block = topic.block
        if topic.sha256 != self.image.digest.hex() or topic.exponent != self.exponent:
            return []
        if block is None or block not in self._missing:
            return []
        try:
            content = self._checked(block, payload)
        except BlockError as error:
            return self._ask_for_bad(block, str(error))
        self._slot.program(block << self.exponent if self.exponent else 0, content)
        self._journal.mark(block)
        self._missing.discard(block)
        self._bad = 0
        self._wait_s = STALL_AFTER_S
        self.stalls_at = now + self._wait_s
        return self._next_window(now)

    def stop(self) -> list[Action]:
        """Let go of the window. What is in the slot stays for a later attempt."""
        asked, self._asked = self._topics(sorted(self._asked)), set()
        self.stalls_at = None
        return [Unsubscribe(asked)] if asked else []

    def _next_window(self, now: float) -> list[Action]:
        if self._asked & self._missing:
            return []
        done = self.stop()
        return done if self.is_complete else [*done, *self.ask(now)]

    def _checked(self, block: int, payload: bytes) -> bytes:
        content = unframe(payload)
        expected = block_size(self.image.size, self.exponent, block)
        if len(content) != expected:
            raise BlockError(f"block {block} has {len(content)} bytes instead of {expected}")
        return content

    def _ask_for_bad(self, block: int, why: str) -> list[Action]:
        self._bad += 1
        if self._bad > MAX_BAD_BLOCKS:
            raise DownloadFailed(f"{self._bad} bad blocks, the last one: {why}")
        topic = self._topics([block])
        return [Unsubscribe(topic), Subscribe(topic)]

    def _topics(self, blocks: Sequence[int]) -> tuple[str, ...]:
        digest = self.image.digest.hex()
        return tuple(topics.artifact_block(digest, self.exponent, block) for block in blocks)


def choose_exponent(size: int, offered: Sequence[int], buffer_bytes: int) -> int | None:
    """The offered block size with the fewest blocks whose messages fit the receive buffer."""
    overhead = CRC_BYTES + _PACKET_OVERHEAD_BYTES + topics.MAX_TOPIC_CHARS
    fitting = [e for e in offered if block_size(size, e, 0) + overhead <= buffer_bytes]
    return min(fitting, key=lambda e: (block_count(size, e), e != WHOLE_FILE), default=None)
