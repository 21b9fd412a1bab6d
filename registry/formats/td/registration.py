"""What a description says of its own registration in a directory, and how a directory adds to it.

A producer says how long its registration is to last; all else in `registration` is the directory's
to say, so what a client writes there is passed over.

Source: W3C WoT Discovery, sections 7.3.2.1 (registration information, enriched and anonymous TDs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from registry.formats.td.grammar import moment_of
from registry.formats.td.node import Node
from registry.formats.td.refusal import shown

DISCOVERY = "https://www.w3.org/2022/wot/discovery"
_LONGEST_S = 100 * 365.25 * 24 * 3600  # a hundred years; no clock shows moments after year 9999
_KEPT_BY_DIRECTORY = frozenset({"created", "modified", "expires", "ttl", "retrieved"})


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a registration is to last: seconds from now, or until a moment, or for ever."""

    ttl_s: float | None = None
    until: datetime | None = None

    def end(self, now: datetime) -> datetime | None:
        """When the registration ends; relative time counts more than absolute."""
        return self.until if self.ttl_s is None else now + timedelta(seconds=self.ttl_s)


@dataclass(frozen=True, slots=True)
class Registration:
    """What a directory knows of a description that it keeps; times with their zone."""

    thing_id: str
    created: datetime
    modified: datetime
    expires: datetime | None = None
    ttl_s: float | None = None


def read_lifetime(root: Node) -> Lifetime:
    """How long the description wants to be registered, or DescriptionError."""
    return root.optional("registration", _lifetime) or Lifetime()


def _lifetime(node: Node) -> Lifetime:
    ttl_s = node.optional("ttl", _seconds)
    until = node.optional("expires", _moment)
    return Lifetime(ttl_s, None if ttl_s is not None else until)


def _seconds(node: Node) -> float:
    seconds = node.number()
    if not 0 <= seconds <= _LONGEST_S:
        node.refuse(
            f"is {shown(seconds)}, not a number of seconds from 0 to {_LONGEST_S:.0f}",
            "Write how many seconds the registration is to last, or leave it out",
        )
    return seconds


def _moment(node: Node) -> datetime:
    moment = moment_of(node.date_time())
    if moment is None:
        node.refuse(f"is {shown(node.value)}, which no clock shows", "Write another time")
    return moment


def enriched(
    document: Mapping[str, Any], known: Registration, retrieved: datetime | None = None
) -> dict[str, Any]:
    """The description as a directory gives it: with its id, its registration and their context.

    `retrieved` is when it was given; left out where nobody asked, as in an event.
    """
    said = document.get("registration")
    own = said.items() if isinstance(said, dict) else ()
    information = {name: value for name, value in own if name not in _KEPT_BY_DIRECTORY}
    return {
        **document,
        "@context": _with_discovery(document["@context"]),
        "id": known.thing_id,
        "registration": information | _information(known, retrieved),
    }


def _with_discovery(context: Any) -> Any:
    """The context of Discovery after those that are there; terms keep the meaning they have."""
    parts = context if isinstance(context, list) else [context]
    return context if DISCOVERY in parts else [*parts, DISCOVERY]


def _information(known: Registration, retrieved: datetime | None) -> dict[str, Any]:
    said = {
        "created": date_time(known.created),
        "modified": date_time(known.modified),
        "expires": None if known.expires is None else date_time(known.expires),
        "ttl": None if known.ttl_s is None else _as_written(known.ttl_s),
        "retrieved": None if retrieved is None else date_time(retrieved),
    }
    return {name: value for name, value in said.items() if value is not None}


def _as_written(seconds: float) -> int | float:
    return int(seconds) if float(seconds).is_integer() else seconds


def date_time(moment: datetime) -> str:
    """A moment as RFC 3339 has it, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
