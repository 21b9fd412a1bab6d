"""Who listens where, and a clear word when the place is taken."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that a process listens on, and the setting that moves it."""

    host: str
    port: int
    setting: str

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def accepts(self, timeout_s: float = 0.5) -> bool:
        """Whether something answers there now."""
        try:
            with socket.create_connection((self.host, self.port), timeout=timeout_s):
                return True
        except OSError:
            return False


class PortTaken(Exception):
    """A port that we need is in use; the text says by whom it is needed and how to move it."""


def check_free(needs: Iterable[tuple[str, Endpoint]]) -> None:
    """Raise PortTaken for the first endpoint that cannot be bound."""
    for process, endpoint in needs:
        try:
            _bind(endpoint)
        except OSError as error:
            raise PortTaken(
                f"{process} needs {endpoint}, which cannot be used ({error.strerror}). "
                f"Stop the program that holds it, or choose another port: "
                f"{endpoint.setting}={endpoint.port + 1} python manage.py up"
            ) from error


def _bind(endpoint: Endpoint) -> None:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do: a port in TIME_WAIT is free, a listening one is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((endpoint.host, endpoint.port))
        probe.listen(1)
