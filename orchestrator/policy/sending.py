"""When a rollout may send, and how much at once. Pure: values in, an answer out, `now` given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MEMBERS = frozenset({"from", "to", "days", "timezone"})


class WindowError(ValueError):
    """Hours that mean nothing; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Window:
    """Hours in which something may be sent, by the clock of a place.

    They may pass midnight, and then belong to the day on which they begin. Where both ends are the
    same, they last the whole day. `days` count from Monday, which is 0.
    """

    begins: time
    ends: time
    days: frozenset[int]
    zone: ZoneInfo

    def is_open(self, now: datetime) -> bool:
        """Whether `now` lies within; the end itself does not."""
        local = now.astimezone(self.zone)
        today, clock = local.weekday(), local.time()
        if self.begins < self.ends:
            return today in self.days and self.begins <= clock < self.ends
        late = today in self.days and clock >= self.begins
        return late or ((today - 1) % 7 in self.days and clock < self.ends)

    def on(self, day: date) -> tuple[datetime, datetime]:
        """When it opens on a day of the place's calendar, and when it closes; in UTC."""
        night = self.begins >= self.ends
        opens = datetime.combine(day, self.begins, self.zone)
        closes = datetime.combine(day + timedelta(days=night), self.ends, self.zone)
        return opens.astimezone(UTC), closes.astimezone(UTC)


def parse_window(raw: Any) -> Window | None:
    """Read `{"from": "22:00", "to": "05:00", "days": ["mon"], "timezone": "Europe/Berlin"}`.

    Without `days` every day, without `timezone` UTC; None is no window. WindowError otherwise.
    """
    if raw is None:
        return None
    if not isinstance(raw, Mapping) or not {"from", "to"} <= raw.keys() <= _MEMBERS:
        raise WindowError('A window has "from" and "to", and may have "days" and "timezone".')
    begins, ends = _clock(raw["from"]), _clock(raw["to"])
    days, zone = _days(raw.get("days", DAYS)), _zone(raw.get("timezone", "UTC"))
    return Window(begins, ends, days, zone)


def allowance(per_minute: int | None, sent_in_last_minute: int) -> int | None:
    """How many more may be sent now; None for any number."""
    return None if per_minute is None else max(per_minute - sent_in_last_minute, 0)


def most_orders(
    window: Window | None, per_minute: int | None, begins: datetime, ends: datetime
) -> int | None:
    """No more than so many orders can go out from `begins` until `ends`; None for any number.

    Of each stretch of open time the first order may go at once, and the limit holds in any minute.
    """
    stretches = _open_seconds(window, begins, ends)
    if per_minute is None:
        return None if stretches else 0
    return sum(per_minute * (int(seconds // 60) + 1) for seconds in stretches)


def _open_seconds(window: Window | None, begins: datetime, ends: datetime) -> list[float]:
    """How long the window is open, each time that it opens between the two moments."""
    if window is None:
        return [(ends - begins).total_seconds()] if begins < ends else []
    day = begins.astimezone(window.zone).date() - timedelta(days=1)
    last = ends.astimezone(window.zone).date()
    found = []
    while day <= last:
        if day.weekday() in window.days:
            opened, closed = window.on(day)
            found.append((min(closed, ends) - max(opened, begins)).total_seconds())
        day += timedelta(days=1)
    return [seconds for seconds in found if seconds > 0]


def _clock(raw: Any) -> time:
    try:
        read = time.fromisoformat(raw)
    except (TypeError, ValueError) as error:
        raise WindowError(f"A window begins and ends at times like 22:00, not {raw!r}.") from error
    if read.tzinfo is not None:
        raise WindowError(f"The place's clock is named by timezone, not in {raw!r}.")
    return read


def _days(raw: Any) -> frozenset[int]:
    known = isinstance(raw, list | tuple) and all(day in DAYS for day in raw)
    if not known or not raw:
        raise WindowError(f"The days of a window are some of {', '.join(DAYS)}, not {raw!r}.")
    return frozenset(DAYS.index(day) for day in raw)


def _zone(raw: Any) -> ZoneInfo:
    try:
        return ZoneInfo(raw)
    except (TypeError, ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise WindowError(f"There is no time zone {raw!r}; one is e.g. Europe/Berlin.") from error
