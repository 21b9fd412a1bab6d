"""The same questions put to other engines over flat rows: every device with all that it can do.

Written apart from `ontology.matching`, from the rules as docs/ontology.md states them, so that
equal answers say something. The layout is the one that serves these engines best: a column for
each operator, sensor kind and tensor type, of which a question reads only those that it names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import duckdb
import numpy as np

from ontology.facts import Capacity, Metric, Need

Columns = Mapping[str, np.ndarray]


def flat_columns(capacities: Sequence[Capacity], profile_of: np.ndarray) -> dict[str, np.ndarray]:
    """A row a device; an operator's column holds its version or 0, a sensor's its rate or -1."""
    operators = sorted({name for c in capacities for name in c.operators})
    kinds = sorted({s.kind for c in capacities for s in c.sensors})
    dtypes = sorted({name for c in capacities for name in c.dtypes})
    runtimes = runtimes_of(capacities)
    by_profile = {
        "slot": np.array([c.slot_bytes for c in capacities], np.int64),
        "arena": np.array([c.arena_budget_bytes for c in capacities], np.int64),
        "runtime": np.array([runtimes.index(c.runtime) for c in capacities], np.int32),
    }
    for name in operators:
        versions = [c.operators.get(name, 0) for c in capacities]
        by_profile[f"op_{name}"] = np.array(versions, np.int8)
    for kind in kinds:
        rates = [
            max([-1.0, *(s.max_rate_hz for s in c.sensors if s.kind == kind)]) for c in capacities
        ]
        by_profile[f"rate_{kind}"] = np.array(rates, np.float64)
    for name in dtypes:
        by_profile[f"dtype_{name}"] = np.array([name in c.dtypes for c in capacities], bool)
    return {name: column[profile_of] for name, column in by_profile.items()}


def runtimes_of(capacities: Sequence[Capacity]) -> list:
    return sorted({c.runtime for c in capacities}, key=str)


def arena_by_runtime(need: Need, runtimes: Sequence) -> list[float]:
    """What each interpreter needs of RAM, the figures being of one status and for one runtime."""
    arena = {f.runtime: f.value for f in need.figures if f.metric is Metric.ARENA_BYTES}
    return [arena[runtime] for runtime in runtimes]


def conditions(need: Need, runtimes: Sequence) -> Iterator[str]:
    """What a row must meet to fit, in SQL."""
    yield f"slot >= {need.flash_bytes}"
    arena = arena_by_runtime(need, runtimes)
    cases = " ".join(f"WHEN {code} THEN {bytes_}" for code, bytes_ in enumerate(arena))
    yield f"arena >= CASE runtime {cases} END"
    readable = [str(code) for code, r in enumerate(runtimes) if r.name in need.runtimes]
    yield f"runtime IN ({', '.join(readable) or 'NULL'})"
    yield from (f'"op_{name}" >= {version}' for name, version in need.operators.items())
    yield from (f'"rate_{s.kind}" >= {s.rate_hz}' for s in need.sensors)
    yield from (f'"dtype_{name}"' for name in need.dtypes)


def fits_plainly(need: Need, capacity: Capacity) -> bool:
    """One pair, by the same reading of the rules."""
    arena = {f.runtime: f.value for f in need.figures if f.metric is Metric.ARENA_BYTES}
    rates = {
        kind.kind: [s.max_rate_hz for s in capacity.sensors if s.kind == kind.kind]
        for kind in need.sensors
    }
    return (
        need.flash_bytes <= capacity.slot_bytes
        and arena[capacity.runtime] <= capacity.arena_budget_bytes
        and capacity.runtime.name in need.runtimes
        and all(capacity.operators.get(n, 0) >= v for n, v in need.operators.items())
        and all(max(rates[s.kind], default=-1.0) >= s.rate_hz for s in need.sensors)
        and need.dtypes <= capacity.dtypes
    )


class DuckDb:
    """DuckDB over flat rows, and over rows of profiles with devices that name theirs."""

    def __init__(self, capacities: Sequence[Capacity], profile_of: np.ndarray) -> None:
        self._runtimes = runtimes_of(capacities)
        # One thread: these rows are one row group, and on a busy machine waiting for more costs.
        self._connection = duckdb.connect(config={"threads": 1})
        profiles = np.arange(len(capacities), dtype=np.int64)
        self._load("flat", flat_columns(capacities, profile_of) | {"device": _numbers(profile_of)})
        self._load("profiles", flat_columns(capacities, profiles) | {"profile": profiles})
        self._load("devices", {"device": _numbers(profile_of), "profile": profile_of})

    def flat(self, need: Need) -> np.ndarray:
        """The numbers of the devices that fit."""
        where = " AND ".join(conditions(need, self._runtimes))
        return self._ask(f"SELECT device FROM flat WHERE {where}")

    def by_profile(self, need: Need) -> np.ndarray:
        where = " AND ".join(conditions(need, self._runtimes))
        return self._ask(f"SELECT device FROM profiles JOIN devices USING (profile) WHERE {where}")

    def close(self) -> None:
        self._connection.close()

    def _ask(self, query: str) -> np.ndarray:
        return self._connection.execute(query).fetchnumpy()["device"]

    def _load(self, table: str, columns: Columns) -> None:
        self._connection.register("given", dict(columns))
        self._connection.execute(f"CREATE TABLE {table} AS SELECT * FROM given")
        self._connection.unregister("given")


def _numbers(profile_of: np.ndarray) -> np.ndarray:
    return np.arange(len(profile_of), dtype=np.int32)


class FlatNumpy:
    """numpy over the same flat rows, three-valued facts left out: the fleet states every fact."""

    def __init__(self, capacities: Sequence[Capacity], profile_of: np.ndarray) -> None:
        self._runtimes = runtimes_of(capacities)
        self._rows = flat_columns(capacities, profile_of)

    def fits(self, need: Need) -> np.ndarray:
        """A boolean a device."""
        rows = self._rows
        arena = np.array(arena_by_runtime(need, self._runtimes))
        reads = np.array([r.name in need.runtimes for r in self._runtimes])
        fits = rows["slot"] >= need.flash_bytes
        fits &= rows["arena"] >= arena[rows["runtime"]]
        fits &= reads[rows["runtime"]]
        for name, version in need.operators.items():
            fits &= rows[f"op_{name}"] >= version
        for sensor in need.sensors:
            fits &= rows[f"rate_{sensor.kind}"] >= sensor.rate_hz
        for name in need.dtypes:
            fits &= rows[f"dtype_{name}"]
        return fits
