"""The matching core over large fleets beside engines that look at every device."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from ontology.facts import Capacity, Need
from ontology.matching import match_all
from ontology.matching.columns import CapacityColumns
from ontology.matching.outcomes import HOLDS
from ontology.matching.population import FleetIndex
from registry.models import Device
from registry.projection.facts import (
    BareBoard,
    capacity_of,
    need_of,
    profiles_with_capacity,
    variants_with_needs,
)
from registry.services.catalogue import load_catalogue
from registry.services.fleet_generation import FleetSize, generate_fleet
from tests.benchmarks.conftest import median_s
from tests.benchmarks.flat_rows import DuckDb, FlatNumpy
from tests.benchmarks.installation import ROOT, SEED

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800), pytest.mark.django_db]

DEVICES = int(os.environ.get("BENCH_DEVICES", "100000"))
VARIANTS = max(10, DEVICES // 100)
ASKED, ROUNDS = 30, 9
LEAST_TIMES_FASTER = 10
MOST_OF_FLAT_NUMPY = {"shared": 0.1, "own": 2.0}
MEMORY_LIMIT_BYTES = 500_000_000


def generated(profiles: int) -> tuple[list[Need], list[Capacity], np.ndarray]:
    """The needs, the capacities and the place of every device's profile."""
    load_catalogue()
    generate_fleet(FleetSize(DEVICES, VARIANTS, min(profiles, DEVICES * 3 // 10)), SEED)
    bare = BareBoard.from_settings()
    rows = list(profiles_with_capacity())
    places = {row.pk: place for place, row in enumerate(rows)}
    profile_of = [
        places[pk] for pk in Device.objects.order_by("pk").values_list("profile", flat=True)
    ]
    variants = variants_with_needs().filter(release__model__name=f"generated-{SEED}")
    needs = [need_of(variant) for variant in variants]
    return needs, [capacity_of(row, bare) for row in rows], np.array(profile_of, dtype=np.int32)


@pytest.mark.parametrize("profiles", [288, 30_000])
def test_one_variants_devices_beside_duckdb(record: Callable[..., None], profiles: int) -> None:
    needs, capacities, profile_of = generated(profiles)
    index = FleetIndex(capacities, profile_of)
    engine = DuckDb(capacities, profile_of)
    asked = needs[:: max(1, len(needs) // ASKED)][:ASKED]

    timed = {
        "core_s": index.devices,
        "duckdb_flat_s": engine.flat,
        "duckdb_profiles_s": engine.by_profile,
    }
    found = []
    for need in asked:
        answers = [np.sort(ask(need)) for ask in timed.values()]
        assert all(np.array_equal(answers[0], other) for other in answers[1:])
        found.append(len(answers[0]))
    taken = {name: medians_s(ask, asked) for name, ask in timed.items()}
    engine.close()
    ratios = [b / a for a, b in zip(taken["core_s"], taken["duckdb_flat_s"], strict=True)]
    record(
        devices=DEVICES,
        profiles=len(capacities),
        variants_asked=len(asked),
        devices_found=statistics.median(found),
        **{name: statistics.median(each) for name, each in taken.items()},
        times_faster=statistics.median(ratios),
        times_faster_least=min(ratios),
        reached=min(ratios) >= LEAST_TIMES_FASTER,
    )


def medians_s(ask: Callable[[Need], np.ndarray], asked: Sequence[Need]) -> list[float]:
    """How long each question takes an engine that is asked all of them in turn, round by round."""
    rounds = []
    for _ in range(ROUNDS):
        rounds.append([])
        for need in asked:
            began = time.perf_counter()
            ask(need)
            rounds[-1].append(time.perf_counter() - began)
    return [statistics.median(each) for each in zip(*rounds, strict=True)]


def all_pairs(
    record: Callable[..., None],
    needs: Sequence[Need],
    capacities: Sequence[Capacity],
    profile_of: np.ndarray,
    most: float,
) -> None:
    """Every verdict of the core, device by device, is flat numpy's; then both are timed."""
    columns, flat = CapacityColumns.of(capacities), FlatNumpy(capacities, profile_of)
    outcomes = match_all(needs, columns).outcomes
    for row, need in enumerate(needs):
        assert np.array_equal(outcomes[row][profile_of] == HOLDS, flat.fits(need))
    core_s = median_s(lambda: match_all(needs, columns).outcomes, rounds=3)
    flat_s = median_s(lambda: [flat.fits(need) for need in needs], rounds=3)
    record(
        pairs=len(needs) * len(profile_of),
        profiles=len(capacities),
        columns_s=median_s(lambda: CapacityColumns.of(capacities), rounds=3),
        core_s=core_s,
        flat_numpy_s=flat_s,
        share_of_flat_numpy=core_s / flat_s,
        reached=core_s / flat_s <= most,
    )


def test_all_pairs_where_devices_share_profiles(record: Callable[..., None]) -> None:
    all_pairs(record, *generated(288), MOST_OF_FLAT_NUMPY["shared"])


def test_all_pairs_where_every_device_is_its_own_profile(record: Callable[..., None]) -> None:
    needs, capacities, profile_of = generated(288)
    draw = random.Random(SEED)
    own = [
        replace(
            capacities[place],
            profile=str(number),
            slot_bytes=int(capacities[place].slot_bytes * draw.uniform(0.5, 1.5)),
            arena_budget_bytes=int(capacities[place].arena_budget_bytes * draw.uniform(0.5, 1.5)),
        )
        for number, place in enumerate(profile_of)
    ]
    places = np.arange(len(own), dtype=np.int32)
    all_pairs(record, needs, own, places, MOST_OF_FLAT_NUMPY["own"])


def test_ten_million_devices_in_memory(record: Callable[..., None]) -> None:
    argv = [sys.executable, "-m", "tests.benchmarks.ten_million"]
    said = subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(said.stdout)
    record(**figures, share_of_limit=figures["peak_bytes"] / MEMORY_LIMIT_BYTES)
    assert figures["peak_bytes"] <= MEMORY_LIMIT_BYTES
