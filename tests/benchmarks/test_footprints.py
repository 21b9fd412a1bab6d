"""How far predicted footprints are from what was measured, network by network."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.footprint_tables import TABLES, arena_cases, instruction_cases

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]


def test_errors_of_footprints(
    data_dir: Path, record: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    arenas, counts = arena_cases(data_dir), instruction_cases(data_dir)
    with capsys.disabled():
        for name, table in TABLES.items():
            print(f"\n{name}\n{table(data_dir)}")
    record(
        arena_median_error=statistics.median(abs(case.error) for case in arenas),
        arena_lowest_error=min(case.error for case in arenas),
        instructions_median_error=statistics.median(abs(case.error) for case in counts),
        **{f"arena {case.name}": case.error for case in arenas},
        **{f"instructions {case.name}": case.error for case in counts},
    )
