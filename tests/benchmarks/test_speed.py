"""How fast the parts are that a user waits for."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest

from ontology.facts import Capacity, Figure, Metric, Need, RuntimeId, Sensor, SensorNeed, Status
from ontology.matching import assess, match_all
from ontology.readers import Asker, QueryLimits, ReaderPool
from registry.footprint.description import describe
from tests.benchmarks.conftest import median_s

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

PROFILES = 288
VARIANTS = 200
DESCRIBE_LIMIT_S = 0.1
QUERY = "SELECT ?s WHERE { ?s ?p ?o } LIMIT 1"
JSON = "application/sparql-results+json"
RUNTIME = RuntimeId("tflite-micro", "2024", "cmsis_nn")
OPERATORS = [f"OPERATOR_{number}" for number in range(60)]


def needs(draw: random.Random) -> list[Need]:
    return [
        Need(
            variant=str(number),
            flash_bytes=draw.randrange(2_000, 500_000),
            figures=(
                Figure(
                    Metric.ARENA_BYTES,
                    draw.randrange(1_000, 200_000),
                    Status.DERIVED,
                    runtime=RUNTIME,
                ),
            ),
            operators=dict.fromkeys(draw.sample(OPERATORS, 8), 1),
            dtypes=frozenset({"int8"}),
            sensors=(SensorNeed("camera"),),
            runtimes=frozenset({"tflite-micro"}),
        )
        for number in range(VARIANTS)
    ]


def capacities(draw: random.Random) -> list[Capacity]:
    return [
        Capacity(
            profile=str(number),
            slot_bytes=draw.randrange(8_000, 1_000_000),
            arena_budget_bytes=draw.randrange(4_000, 400_000),
            runtime=RUNTIME,
            operators=dict.fromkeys(draw.sample(OPERATORS, 50), 2),
            dtypes=frozenset({"int8", "int32"}),
            sensors=(Sensor("camera"),),
        )
        for number in range(PROFILES)
    ]


def test_matching_all_at_once_beside_one_by_one(record: Callable[..., None]) -> None:
    draw = random.Random(1)
    all_needs, all_capacities = needs(draw), capacities(draw)
    table = match_all(all_needs, all_capacities)
    for row in range(0, VARIANTS, 20):
        for column in range(0, PROFILES, 20):
            one = assess(all_needs[row], all_capacities[column])
            assert table.answer(row, column) == one.answer
    at_once_s = median_s(lambda: match_all(all_needs, all_capacities))
    one_by_one_s = median_s(
        lambda: [assess(n, c).answer for n in all_needs for c in all_capacities], rounds=3
    )
    record(
        pairs=VARIANTS * PROFILES,
        at_once_s=at_once_s,
        one_by_one_s=one_by_one_s,
        times_faster=one_by_one_s / at_once_s,
    )
    assert at_once_s < one_by_one_s


def test_describing_a_large_file_beside_its_limit(
    record: Callable[..., None], data_dir: Path
) -> None:
    data = (data_dir / "ren" / "models" / "ARM_MicroNet_VWW_3.tflite").read_bytes()
    taken_s = median_s(lambda: describe(data))
    record(file_bytes=len(data), taken_s=taken_s, share_of_limit=taken_s / DESCRIBE_LIMIT_S)
    assert taken_s <= DESCRIBE_LIMIT_S


@pytest.fixture
def store(tmp_path: Path) -> Path:
    writer = ox.Store(str(tmp_path / "graph"))
    predicate, graph = ox.NamedNode("http://example.org/p"), ox.NamedNode("http://example.org/g")
    writer.extend(
        ox.Quad(ox.NamedNode(f"http://example.org/{n}"), predicate, ox.Literal(n), graph)
        for n in range(10_000)
    )
    writer.flush()
    return tmp_path / "graph"


@pytest.fixture
def pool(store: Path) -> Iterator[ReaderPool]:
    pool = ReaderPool(store, 1)
    yield pool
    pool.close()


def test_a_guarded_query_beside_an_unguarded_one(
    record: Callable[..., None], pool: ReaderPool, store: Path
) -> None:
    asker = Asker("bench", QueryLimits(time_s=10.0, memory_bytes=512 << 20, rows=1_000))
    guarded_s = median_s(lambda: pool.run(QUERY, JSON, asker))

    def unguarded() -> None:
        opened = ox.Store.read_only(str(store))
        assert list(opened.query(QUERY, use_default_graph_as_union=True))

    unguarded_s = median_s(unguarded)
    record(guarded_s=guarded_s, unguarded_s=unguarded_s, ratio=guarded_s / unguarded_s)
