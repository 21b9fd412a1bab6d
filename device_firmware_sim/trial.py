"""A new network is on trial: it stays if the device proves itself with it, or the old one returns.

The trial begins with the commit and is kept in the boot record as the number of crashes since. It
is passed once the network has run and a connection has held for STEADY_S. It is failed by
CRASHES_MAX crashes, or by a deadline that passes without a connection. A crash is a reset by a
fault or the watchdog, which a microcontroller tells from a power cut by its reset cause; power may
fail as often as it likes. Each start begins the deadline anew, so no clock is needed, and time
without power does not count. Where there is nothing to go back to, being off the air is no reason.
"""

from __future__ import annotations

from dataclasses import replace

from device_firmware_sim.boot import BootRecord

STEADY_S = 5.0
TRIAL_S = 300.0
CRASHES_MAX = 3


def begun(record: BootRecord) -> BootRecord:
    """The record of a device that runs a new network from now on."""
    return replace(record, trial_crashes=0)


def passed(record: BootRecord) -> BootRecord:
    """The record of a device that keeps what it runs."""
    return replace(record, trial_crashes=None)


def started(record: BootRecord, *, crashed: bool) -> BootRecord:
    """The record of a device that comes up, after a crash or with power."""
    crashes = record.trial_crashes
    if crashed and crashes is not None:
        crashes += 1
    return replace(record, boot=record.boot + 1, trial_crashes=crashes)


def keeps_crashing(record: BootRecord) -> bool:
    """Whether the network on trial has brought the device down too often."""
    return record.trial_crashes is not None and record.trial_crashes >= CRASHES_MAX


class Watch:
    """The clock of one start of a trial. `now` is in seconds, of any origin that stays."""

    def __init__(self, deadline_s: float = TRIAL_S) -> None:
        self._deadline_s = deadline_s
        self._ends_at: float | None = None
        self._steady_at: float | None = None
        self._connected_at: float | None = None

    def begin(self, now: float) -> None:
        """The network runs from now on, in this start."""
        self._ends_at = now + self._deadline_s
        self._steady_at = None if self._connected_at is None else now + STEADY_S

    def connected(self, now: float) -> None:
        """The broker has let the device in under its own name."""
        self._connected_at = now
        self._steady_at = now + STEADY_S

    def disconnected(self) -> None:
        """The connection is gone."""
        self._connected_at = self._steady_at = None

    def due_at(self, has_run: bool) -> float | None:
        """When the trial may be decided; None where none has begun."""
        return self._steady_at if has_run and self._steady_at is not None else self._ends_at

    def is_passed(self, now: float, has_run: bool) -> bool:
        """Whether the connection has held and the network has run, or had time enough to."""
        is_steady = self._steady_at is not None and now >= self._steady_at
        return is_steady and (has_run or self._is_over(now))

    def is_failed(self, now: float) -> bool:
        """Whether the deadline has passed without a connection that stands."""
        return self._steady_at is None and self._is_over(now)

    def end(self) -> None:
        """It is decided."""
        self._ends_at = None

    def _is_over(self, now: float) -> bool:
        return self._ends_at is not None and now >= self._ends_at
