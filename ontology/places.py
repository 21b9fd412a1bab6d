"""How many may ask at once: fair shares, so that nobody can take every place."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class NoPlace(Exception):
    """No place became free in time; `own` says that the asker's own queries hold the share."""

    def __init__(self, own: bool) -> None:
        super().__init__("the asker's share is taken" if own else "every place is taken")
        self.own = own


class Places:
    """At most `size` queries at once, the last `kept` places for those who have none running.

    Safe to call from several threads.
    """

    def __init__(self, size: int, kept: int = 0) -> None:
        self._size = size
        self._shared = max(1, size - kept)
        self._running: Counter[str] = Counter()
        self._changed = threading.Condition()

    @property
    def taken(self) -> int:
        """How many queries hold a place now."""
        return self._running.total()

    @contextmanager
    def one(self, asker: str, at_once: int, wait_s: float) -> Iterator[None]:
        """A place for one query of this asker's, waited for; NoPlace where none becomes free."""
        self._take(asker, at_once, wait_s)
        try:
            yield
        finally:
            self._give_back(asker)

    def _take(self, asker: str, at_once: int, wait_s: float) -> None:
        until = time.monotonic() + wait_s
        with self._changed:
            while not self._free_for(asker, at_once):
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    if self._free_for(asker, at_once):
                        break
                    raise NoPlace(own=self._running[asker] >= at_once)
            self._running[asker] += 1

    def _free_for(self, asker: str, at_once: int) -> bool:
        own, taken = self._running[asker], self._running.total()
        return own < at_once and taken < (self._shared if own else self._size)

    def _give_back(self, asker: str) -> None:
        with self._changed:
            self._running[asker] -= 1
            if not self._running[asker]:
                del self._running[asker]
            self._changed.notify_all()
