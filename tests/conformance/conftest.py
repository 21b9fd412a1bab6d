"""One installation for all conformance tests, served twice: to its users, and open to all."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.conformance.web_installation import (
    PASSWORD,
    USER,
    WebInstallation,
    installation,
    session_cookie,
)


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebInstallation]:
    """An installation with one user and an empty graph, whose server runs."""
    with installation(tmp_path_factory.mktemp("installation")) as made:
        yield made


@pytest.fixture(scope="session")
def closed(web: WebInstallation) -> Iterator[str]:
    """The address of a web process that answers nobody unknown."""
    with web.serve() as base:
        yield base


@pytest.fixture(scope="session")
def opened(web: WebInstallation) -> Iterator[str]:
    """The address of a web process where reading is open."""
    with web.serve(TINYFLEET_PUBLIC_READ="1") as base:
        yield base


@pytest.fixture(scope="session")
def bearer(web: WebInstallation) -> dict[str, str]:
    """What a program sends."""
    return {"Authorization": f"Bearer {web.token}"}


@pytest.fixture(scope="session")
def basic() -> dict[str, str]:
    """What curl -u sends."""
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


@pytest.fixture(scope="session")
def session(closed: str) -> dict[str, str]:
    """What a browser sends whose user is signed in to the admin."""
    return dict(session_cookie(closed))
