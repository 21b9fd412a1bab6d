"""Every network of the zoo by its recipe, over three seeds, and the bars that each has to reach.

BENCH_ZOO_SEEDS takes fewer or more seeds. docs/zoo.md's tables are made of these figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import pytest

from tests.benchmarks.zoo_bars import LEAST, LOWERED

pytestmark = [pytest.mark.bench, pytest.mark.timeout(7200)]

Record = Callable[..., None]


@pytest.mark.parametrize("name", LEAST)
def test_a_network_of_the_zoo(name: str, data_dir: Path, record: Record) -> None:
    from orchestrator.compression.zoo.entries import ZOO
    from tests.benchmarks.zoo_figures import SEEDS, figures

    cells = [asdict(figures(data_dir, ZOO[name], seed)) for seed in SEEDS]
    mean = fmean(cell["int8_score"] for cell in cells)
    record(mean=mean, least=LEAST[name], cells=cells)
    assert mean >= LEAST[name]


def test_gaze_distilled_then_personal(record: Record) -> None:
    from tests.benchmarks.zoo_figures import SEEDS, gaze_figures

    found = [gaze_figures(seed) for seed in SEEDS]
    lowered = fmean(gaze.lowered for gaze, _ in found)
    record(
        lowered=lowered,
        least=LOWERED,
        gaze=[asdict(gaze) for gaze, _ in found],
        cells=[asdict(cell) for _, cell in found],
    )
    assert lowered >= LOWERED


@pytest.mark.parametrize("name", ["ds-cnn", "tiny-transformer"])
def test_a_speaker_who_was_never_heard(name: str, data_dir: Path, record: Record) -> None:
    """No bar: it says by how much the figure of held-out recordings flatters."""
    from orchestrator.compression.datasets.spoken_digits import as_cepstrum, as_log_mel, by_speaker
    from orchestrator.compression.zoo.entries import ZOO
    from tests.benchmarks.zoo_figures import SEEDS, score_with

    load = by_speaker({"ds-cnn": as_cepstrum, "tiny-transformer": as_log_mel}[name])
    scores = [score_with(load, data_dir, ZOO[name], seed) for seed in SEEDS]
    record(mean=fmean(scores), scores=scores)
    assert all(0 <= score <= 1 for score in scores)
