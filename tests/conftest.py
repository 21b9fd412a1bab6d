"""What every test may use: the real data, and nothing that outlives it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real networks, recordings and boards; see CONTRIBUTING.md for how to point at them."""
    path = os.environ.get("TINYFLEET_DATA")
    if not path:
        pytest.skip("TINYFLEET_DATA is not set: the folder of real networks and recordings")
    return Path(path)
