"""A new network is on trial: it stays if the device proves itself with it, or the old one returns.

The trial begins with the commit and is kept in the boot record as the number of starts since. It is
passed once a connection has held for STEADY_S. It is failed by too many starts (a network that
makes the firmware crash), or by a deadline that passes without a connection (one that keeps the
device off the air). Each start begins the deadline anew, so no clock is needed, and time without
power does not count. Where there is nothing to go back to, being off the air is no reason.
"""

from __future__ import annotations

from dataclasses import replace

from device_firmware_sim.boot import BootRecord

STEADY_S = 5.0
TRIAL_S = 300.0
STARTS_MAX = 3


def begun(record: BootRecord) -> BootRecord:
    """The record of a device that runs a new network from now on."""
    return replace(record, trial_starts=0)


def passed(record: BootRecord) -> BootRecord:
    """The record of a device that keeps what it runs."""
    return replace(record, trial_starts=None)


def started(record: BootRecord) -> BootRecord:
    """The record of a device that comes up: the start is counted, in a trial twice."""
    starts = None if record.trial_starts is None else record.trial_starts + 1
    return replace(record, boot=record.boot + 1, trial_starts=starts)


def keeps_crashing(record: BootRecord) -> bool:
    """Whether it has started too often without ever having been steady."""
    return record.trial_starts is not None and record.trial_starts > STARTS_MAX


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

    @property
    def due_at(self) -> float | None:
        """When the trial may be decided; None where none has begun."""
        if self._ends_at is None:
            return None
        return self._ends_at if self._steady_at is None else self._steady_at

    def is_passed(self, now: float) -> bool:
        """Whether the connection has held."""
        return self._steady_at is not None and now >= self._steady_at

    def is_failed(self, now: float) -> bool:
        """Whether the deadline has passed without a connection that stands."""
        return self._steady_at is None and self._ends_at is not None and now >= self._ends_at

    def end(self) -> None:
        """It is decided."""
        self._ends_at = None
