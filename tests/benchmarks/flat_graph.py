"""The same question put to Oxigraph over flat devices: each states all that it can do itself.

Only operators stay with the firmware build that links them, which favours the flat graph.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyoxigraph as ox

from ontology.facts import Capacity, Need
from ontology.matching.columns import operators_key
from tests.benchmarks.flat_rows import arena_by_runtime, runtimes_of

TF = "https://w3id.org/tinyfleet/ontology#"
FLAT = "https://example.org/flat/"


def load(
    folder: Path, capacities: Sequence[Capacity], names: Sequence[str], profile_of: np.ndarray
) -> None:
    """A store of these devices."""
    runtimes = runtimes_of(capacities)
    sets = {operators_key(c.operators): c.operators for c in capacities}
    number = {key: place for place, key in enumerate(sets)}
    store = ox.Store(str(folder))
    lines = list(_operators(list(sets.values())))
    for name, place in zip(names, profile_of, strict=True):
        lines += _device(name, capacities[place], runtimes, number)
    store.bulk_load("\n".join(lines).encode(), format=ox.RdfFormat.N_TRIPLES)
    store.flush()


def _device(name: str, capacity: Capacity, runtimes: Sequence, number: dict) -> Iterator[str]:
    device = f"<{FLAT}{name}>"
    yield f"{device} <{TF}slotBytes> {_integer(capacity.slot_bytes)} ."
    yield f"{device} <{TF}arenaBudgetBytes> {_integer(capacity.arena_budget_bytes)} ."
    yield f"{device} <{TF}runtime> <{FLAT}runtime/{runtimes.index(capacity.runtime)}> ."
    build = number[operators_key(capacity.operators)]
    yield f"{device} <{TF}operatorsFrom> <{FLAT}build/{build}> ."
    for dtype in capacity.dtypes:
        yield f'{device} <{TF}acceptsDtype> "{dtype}" .'
    for place, sensor in enumerate(capacity.sensors):
        part = f"<{FLAT}{name}/{place}>"
        yield f"{device} <{TF}hasSensor> {part} ."
        yield f'{part} <{TF}sensorKind> "{sensor.kind}" .'
        yield f"{part} <{TF}maxRateHz> {_integer(int(sensor.max_rate_hz))} ."


def _operators(sets: Sequence) -> Iterator[str]:
    for place, operators in enumerate(sets):
        for name, version in operators.items():
            part = f"<{FLAT}build/{place}/{name}>"
            yield f"<{FLAT}build/{place}> <{TF}providesOperator> {part} ."
            yield f'{part} <{TF}operatorName> "{name}" .'
            yield f"{part} <{TF}operatorVersion> {_integer(version)} ."


def _integer(value: int) -> str:
    return f'"{value}"^^<http://www.w3.org/2001/XMLSchema#integer>'


def question(need: Need, capacities: Sequence[Capacity]) -> str:
    """Which devices can run this variant? In SPARQL over flat devices."""
    runtimes = runtimes_of(capacities)
    arena = arena_by_runtime(need, runtimes)
    rows = " ".join(
        f"(<{FLAT}runtime/{code}> {int(bytes_)})"
        for code, (runtime, bytes_) in enumerate(zip(runtimes, arena, strict=True))
        if runtime.name in need.runtimes
    )
    parts = [
        f"VALUES (?runtime ?arena) {{ {rows} }}",
        "?device tf:runtime ?runtime ; tf:slotBytes ?slot ; tf:arenaBudgetBytes ?budget ;"
        " tf:operatorsFrom ?build .",
        f"FILTER(?slot >= {need.flash_bytes} && ?budget >= ?arena)",
    ]
    parts += [f'?device tf:acceptsDtype "{dtype}" .' for dtype in need.dtypes]
    for number, sensor in enumerate(need.sensors):
        parts.append(
            f'?device tf:hasSensor ?s{number} . ?s{number} tf:sensorKind "{sensor.kind}" ;'
        )
        parts.append(f"tf:maxRateHz ?r{number} . FILTER(?r{number} >= {sensor.rate_hz})")
    linked = "".join(
        f"?build tf:providesOperator ?o{number} . ?o{number} tf:operatorName {json.dumps(name)} ;"
        f" tf:operatorVersion ?v{number} . FILTER(?v{number} >= {version}) "
        for number, (name, version) in enumerate(need.operators.items())
    )
    # The builds first, of which there are few: written in one group it takes minutes.
    builds = f"{{ SELECT DISTINCT ?build {{ {linked} }} }}"
    return f"PREFIX tf: <{TF}> SELECT DISTINCT ?device {{ {builds} {' '.join(parts)} }}"
