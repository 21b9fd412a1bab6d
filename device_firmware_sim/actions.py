"""What a device wants done on its connection: the whole of its contact with the outside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Publish:
    """Send a message with QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask for topics with QoS 1; what is retained there arrives, again if asked again."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Have enough of topics."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Leave, and connect again with the account that the device now has."""


Action: TypeAlias = Publish | Subscribe | Unsubscribe | Reconnect


@dataclass(frozen=True, slots=True)
class Account:
    """How a device signs in to the broker; `will` is left there for when it is lost.

    `credential` is a file of key and certificate (PEM) that stands for name and password over TLS;
    `enrols` says that this account only asks to join, which over TLS has a port of its own.
    """

    client_id: str
    username: str
    password: str
    will: Publish | None
    credential: Path | None = None
    enrols: bool = False
