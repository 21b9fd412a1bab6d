"""Ten million devices in the matching core: run as a process of its own, to see what it holds."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from ontology.matching.population import Population

DEVICES, PROFILES, CHUNK = 10_000_000, 288, 1_000_000


def main() -> None:
    began = time.perf_counter()
    drawn = np.random.default_rng(1)
    profile_of = drawn.integers(0, PROFILES, DEVICES, dtype=np.int32)
    population = Population(profile_of, PROFILES)
    built_s = time.perf_counter() - began
    fitting = drawn.random(PROFILES) < 0.25
    began = time.perf_counter()
    found = population.having(np.flatnonzero(fitting[population.order]))
    asked_s = time.perf_counter() - began
    peak_bytes = peak_resident_bytes()
    assert_same(np.sort(found), profile_of, np.flatnonzero(fitting))
    print(
        json.dumps(
            {
                "devices": DEVICES,
                "found": len(found),
                "built_s": built_s,
                "asked_s": asked_s,
                "peak_bytes": peak_bytes,
            }
        )
    )


def peak_resident_bytes() -> int:
    """Of this program alone: what getrusage tells is its parent's, if that was the larger."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def assert_same(found: np.ndarray, profile_of: np.ndarray, fitting: np.ndarray) -> None:
    """Device by device, in pieces: a mask of all would be counted as the core's memory."""
    place = 0
    for start in range(0, DEVICES, CHUNK):
        inside = np.flatnonzero(np.isin(profile_of[start : start + CHUNK], fitting)) + start
        assert np.array_equal(found[place : place + len(inside)], inside)
        place += len(inside)
    assert place == len(found)


if __name__ == "__main__":
    main()
