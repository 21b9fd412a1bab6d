"""The address of a store, apart from the name and password that may stand in it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """`url` may be shown and logged; `login`, for HTTP Basic, may not."""

    url: str
    login: tuple[str, str] | None = None

    @classmethod
    def parse(cls, text: str) -> StoreAddress:
        """From http://name:password@host/path; a slash at the end says nothing."""
        parts = urlsplit(text)
        host = parts.netloc.rpartition("@")[2]
        url = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        if parts.username is None:
            return cls(url)
        return cls(url, (unquote(parts.username), unquote(parts.password or "")))
