"""docs/footprint.md shows the errors that the code and the measurements give."""

from __future__ import annotations

import statistics

import pytest

from tests.benchmarks.footprint_tables import (
    PAGE,
    TABLES,
    arena_cases,
    instruction_cases,
    with_tables,
)
from tests.registry.runtime.peer import MISSING, is_installed


@pytest.mark.skipif(not is_installed(), reason=MISSING)
def test_its_tables_are_computed(data_dir):
    page = PAGE.read_text()
    assert all(f"<!-- {name}: computed -->" in page for name in TABLES)
    assert page == with_tables(page, data_dir), "write them anew, as the page says"


def test_arenas_are_never_too_small_and_instructions_within_a_quarter(data_dir):
    arenas = [case.error for case in arena_cases(data_dir)]
    assert min(arenas) >= -0.01
    assert statistics.median(map(abs, arenas)) <= 0.02
    counts = [abs(case.error) for case in instruction_cases(data_dir)]
    assert statistics.median(counts) <= 0.25
