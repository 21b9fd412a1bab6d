"""What every test may use: the real data, and nothing that outlives it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from tests.seeds import how_to_repeat

WHOLE = "tests/e2e/"

# How long an example takes says something of the machine, and nothing of the code.
settings.register_profile("tinyfleet", deadline=None)
settings.load_profile("tinyfleet")


def pytest_report_header() -> str:
    """The seed of this run's random choices."""
    return f"random choices: {how_to_repeat()}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """A failure says by which seed it comes again."""
    report = yield
    if report.failed:
        report.sections.append(("random choices", f"repeat with {how_to_repeat()}"))
    return report


class ByFile(LoadFileScheduling):
    """Every file to one process; those of the whole to one together: they share a demonstration."""

    def _split_scope(self, nodeid: str) -> str:
        return WHOLE if nodeid.startswith(WHOLE) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Fixtures of a module are built once, however many processes there are."""
    return ByFile(config, log)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real networks, recordings and boards; see CONTRIBUTING.md for how to point at them."""
    path = os.environ.get("TINYFLEET_DATA")
    if not path:
        pytest.skip("TINYFLEET_DATA is not set: the folder of real networks and recordings")
    return Path(path)
