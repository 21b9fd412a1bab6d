"""docs/zoo.md lists what the code holds, and shows figures of every network of it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow  # torch takes seconds to load


def test_its_computed_tables_are_those_of_the_code():
    from tests.benchmarks.zoo_tables import COMPUTED, MEASURED, PAGE, with_tables

    page = PAGE.read_text()
    assert all(f"<!-- {name}: computed -->" in page for name in COMPUTED)
    assert all(f"<!-- {name}: measured -->" in page for name in MEASURED)
    assert page == with_tables(page, None), "run python -m tests.benchmarks.zoo_tables"


def test_every_network_has_a_bar():
    from orchestrator.compression.zoo.entries import ZOO
    from tests.benchmarks.zoo_bars import LEAST

    assert set(ZOO) == {*LEAST, "dft-gaze"}  # whose bar is on what a user's images lower
