"""Settings from the environment: each value is parsed once, or refused with its name."""

from __future__ import annotations

import os
import re
import secrets
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from registry.files import keep_once

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}
_BYTE_UNITS = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}
_BYTE_UNITS |= {"KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#,\s]+")


def text_setting(name: str, default: str) -> str:
    """The text as it stands."""
    return os.environ.get(name, default)


def list_setting(name: str, default: list[str]) -> list[str]:
    """Texts separated by commas."""
    raw = os.environ.get(name)
    return default if raw is None else [part.strip() for part in raw.split(",") if part.strip()]


def origins_setting(name: str, default: list[str]) -> list[str]:
    """Origins of web pages (RFC 6454), separated by commas; `*` stands for all."""
    origins = list_setting(name, default)
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ImproperlyConfigured(
                f"{name} has {origin!r}, which is no origin; write https://host or https://host:port"
            )
    return origins


def bool_setting(name: str, default: bool) -> bool:
    """1, true, yes, on; 0, false, no, off."""
    raw = os.environ.get(name)
    if raw is None:
        return default
    if raw.lower() in _TRUE:
        return True
    if raw.lower() in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={raw!r} is neither yes nor no; use 1 or 0")


def int_setting(name: str, default: int) -> int:
    """A whole number."""
    return int(_number(name, default))


def float_setting(name: str, default: float) -> float:
    """A number."""
    return _number(name, default)


def bytes_setting(name: str, default: int) -> int:
    """A size: a number of bytes, or a number with a unit such as 64KiB or 1MB."""
    raw = os.environ.get(name)
    return default if raw is None else _bytes(name, raw)


def _bytes(name: str, raw: str) -> int:
    digits = raw.strip().rstrip("KkMmGgIiBb ")
    unit = raw.strip()[len(digits) :].strip().upper()
    if unit not in _BYTE_UNITS or not digits.isdigit():
        raise ImproperlyConfigured(f"{name}={raw!r} is not a size; write 65536 or 64KiB")
    return int(digits) * _BYTE_UNITS[unit]


def query_limits_setting(name: str, at_once: int) -> dict[str, Any]:
    """Some of a query's limits by name, as in `time_s=5, memory=256MiB, rows=20000, at_once=2`."""
    limits: dict[str, Any] = {"at_once": at_once}
    for part in list_setting(name, []):
        key, _, text = (each.strip() for each in part.partition("="))
        if key not in _QUERY_LIMITS:
            known = ", ".join(_QUERY_LIMITS)
            raise ImproperlyConfigured(f"{name}: {part!r} is none of {known} with =VALUE")
        field, parse = _QUERY_LIMITS[key]
        limits[field] = parse(f"{name}: {key}", text)
    return limits


def _positive(name: str, raw: str) -> float:
    value = _parsed(name, raw)
    if not value > 0:
        raise ImproperlyConfigured(f"{name}={raw!r} is not above zero")
    return value


# For each name of a limit its field in QueryLimits, and how its value is read.
_QUERY_LIMITS: dict[str, tuple[str, Callable[[str, str], float]]] = {
    "time_s": ("time_s", _positive),
    "memory": ("memory_bytes", _bytes),
    "rows": ("rows", lambda name, raw: int(_positive(name, raw))),
    "at_once": ("at_once", lambda name, raw: int(_positive(name, raw))),
}


def _number(name: str, default: float) -> float:
    raw = os.environ.get(name)
    return default if raw is None else _parsed(name, raw)


def _parsed(name: str, raw: str) -> float:
    try:
        return float(raw)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={raw!r} is not a number") from error


def secret_key(path: Path) -> str:
    """The installation's own key, made at first use and readable by its owner alone."""
    given = os.environ.get("TINYFLEET_SECRET_KEY")
    if given:
        return given
    return keep_once(path, lambda: secrets.token_urlsafe(48))


def installation_id(path: Path) -> str:
    """What tells this installation from others where several share one MLflow or store."""
    return keep_once(path, lambda: str(uuid.uuid4()))


def postgresql_database(url: str) -> dict[str, Any]:
    """Django's database settings from postgresql://user:password@host:port/name?sslmode=require.

    The server's own planner reckons with a turning disk, and would read whole tables for the few
    hundred rows of a batch. `?options=` says otherwise, for a pooler that takes none for instance.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("TINYFLEET_DATABASE must be a postgresql:// address")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        # Under ASGI a kept connection may outlive the thread that made it.
        "CONN_MAX_AGE": 0,
        "OPTIONS": {"options": "-c random_page_cost=1.1"}
        | dict(parse_qsl(parts.query, keep_blank_values=True)),
    }
