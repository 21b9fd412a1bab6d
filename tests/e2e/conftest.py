"""One demonstration for all tests of the whole: started once, ended by Ctrl-C after the last."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.installation import Installation, stop, wait_for

DEMO_LIMIT_S = 420.0


@dataclass
class Running:
    """The installation that the demonstration left up, and the process that holds it."""

    installation: Installation
    report: Path


@pytest.fixture(scope="package")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A finished demonstration whose installation still runs."""
    installation = Installation(tmp_path_factory.mktemp("whole"))
    process = installation.start("demo")
    report = installation.folder / "report.json"
    try:
        wait_for(
            "the demonstration's report",
            lambda: report.exists() or process.poll() is not None,
            DEMO_LIMIT_S,
        )
        assert process.poll() is None, installation.output_of("demo")
        yield Running(installation, report)
        status, left = stop(process)
        assert status == 0, installation.output_of("demo")
        assert left == []
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
