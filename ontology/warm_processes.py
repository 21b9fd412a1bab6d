"""Processes that are started before they are needed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from ontology.child_process import ChildProcess


class WarmProcesses:
    """Idle processes, oldest first; a thread starts more whenever there are too few.

    Safe to call from several threads.
    """

    def __init__(self, start: Callable[[], ChildProcess], wanted: Callable[[], int]) -> None:
        """`wanted` says how many should be idle now."""
        self._start = start
        self._wanted = wanted
        self._idle: queue.SimpleQueue[ChildProcess] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._closed = False

    def take(self) -> ChildProcess:
        """One that lives; started now where none is idle."""
        while True:
            try:
                process = self._idle.get_nowait()
            except queue.Empty:
                return self._start()
            if process.alive:
                return process
            process.kill()

    def give_back(self, process: ChildProcess) -> None:
        """It may be taken again."""
        self._idle.put(process)
        if self._closed:
            self.close()

    def fill_up(self) -> None:
        """Start what is missing, beside whatever goes on here."""
        if self._idle.qsize() < self._wanted() and self._starting.acquire(blocking=False):
            threading.Thread(target=self._fill_up, name="warm-processes", daemon=True).start()

    def _fill_up(self) -> None:
        try:
            while not self._closed and self._idle.qsize() < self._wanted():
                self.give_back(self._start())
        finally:
            self._starting.release()

    def close(self) -> None:
        """End the idle ones, now and later."""
        self._closed = True
        while True:
            try:
                self._idle.get_nowait().kill()
            except queue.Empty:
                return
