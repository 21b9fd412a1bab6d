"""What the graph of a large fleet costs, measured on an installation of its own.

Run as `python -m tests.benchmarks.graph_at_scale FOLDER DEVICES VARIANTS PROFILES` in that
installation's environment, with its graph server running; prints JSON.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from contextlib import closing
from pathlib import Path

import django

django.setup()

import numpy as np  # noqa: E402
from django.db import transaction  # noqa: E402

from ontology.facts import Answer, Sensor  # noqa: E402
from ontology.readers import Asker, QueryLimits, ReaderPool  # noqa: E402
from registry.models import CapabilityProfile, Device, FirmwareBuild, GraphChange, Variant  # noqa: E402
from registry.projection.facts import (  # noqa: E402
    BareBoard,
    capacity_of,
    need_of,
    profiles_with_capacity,
    variants_with_needs,
)
from registry.projection.keys import iri_of  # noqa: E402
from registry.services.graph_sync import drain, graph_store  # noqa: E402
from registry.services.matching import assess_pair  # noqa: E402
from registry.services.profiles import profile_for  # noqa: E402
from tests.benchmarks import flat_graph  # noqa: E402
from tests.benchmarks.flat_rows import DuckDb, fits_plainly  # noqa: E402

JSON = "application/sparql-results+json"
ASKER = Asker("bench", QueryLimits(time_s=120.0, memory_bytes=2 << 30, rows=1_000_000))
PREFIX = "PREFIX tf: <https://w3id.org/tinyfleet/ontology#> "
ASKED, ROUNDS = 12, 5


class Fleet:
    """The facts of the installation, and the engines that they are put to."""

    def __init__(self, folder: Path) -> None:
        bare = BareBoard.from_settings()
        rows = list(profiles_with_capacity())
        self.places = {row.pk: place for place, row in enumerate(rows)}
        self.iris = [iri_of(row) for row in rows]
        self.capacities = [capacity_of(row, bare) for row in rows]
        devices = list(Device.objects.order_by("pk").values_list("device_id", "profile"))
        self.names = [name for name, _ in devices]
        self.profile_of = np.array([self.places[profile] for _, profile in devices])
        self.duckdb = DuckDb(self.capacities, self.profile_of)
        self.graph = ReaderPool(folder / "graph", 1)

    def expected(self, need) -> set[str]:
        return {self.names[number] for number in self.duckdb.flat(need)}


def generated():
    """The catalogue brings yardsticks of its own, which nothing is judged for."""
    return variants_with_needs().filter(release__model__name__startswith="generated-")


def ask(pool: ReaderPool, query: str, name: str) -> list[str]:
    return values(pool.run(query, JSON, ASKER), name)


def values(answer: bytes, name: str) -> list[str]:
    bindings = json.loads(answer)["results"]["bindings"]
    return [row[name]["value"].rpartition("/")[2] for row in bindings]


def timed_ms(work, rounds: int = ROUNDS) -> float:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def devices_of(variant) -> str:
    return f"{PREFIX} SELECT ?device {{ <{iri_of(variant)}> tf:fits ?p . ?device tf:profile ?p }}"


def variants_of(device) -> str:
    return f"{PREFIX} SELECT ?variant {{ <{iri_of(device)}> tf:profile ?p . ?variant tf:fits ?p }}"


def one_variants_devices(fleet: Fleet, folder: Path) -> dict[str, float]:
    """Beside the same question over flat devices, both through a reader; ids equal to DuckDB's."""
    flat_graph.load(folder / "flat", fleet.capacities, fleet.names, fleet.profile_of)
    ours, theirs, found = [], [], []
    with closing(ReaderPool(folder / "flat", 1)) as flat:
        variants = list(generated().order_by("pk"))
        for variant in variants[:: max(1, len(variants) // ASKED)][:ASKED]:
            need = need_of(variant)
            query, over_flat = devices_of(variant), flat_graph.question(need, fleet.capacities)
            expected = fleet.expected(need)
            assert set(ask(fleet.graph, query, "device")) == expected
            began = time.perf_counter()
            answer = flat.run(over_flat, JSON, ASKER)
            flat_ms = (time.perf_counter() - began) * 1000
            assert set(values(answer, "device")) == expected
            if expected:
                ours.append(timed_ms(lambda q=query: fleet.graph.run(q, JSON, ASKER)))
                theirs.append(flat_ms)
                found.append(len(expected))
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return {
        "variant_devices_ms": statistics.median(ours),
        "variant_devices_flat_ms": statistics.median(theirs),
        "variant_devices_times_faster": statistics.median(ratios),
        "variant_devices_times_faster_least": min(ratios),
        "variant_devices_found": statistics.median(found),
    }


def one_devices_variants(fleet: Fleet) -> dict[str, float]:
    rows = list(generated())
    needs = [need_of(row) for row in rows]
    taken, found = [], []
    for number in range(0, len(fleet.names), max(1, len(fleet.names) // ASKED)):
        device = Device.objects.get(device_id=fleet.names[number])
        query = variants_of(device)
        capacity = fleet.capacities[fleet.profile_of[number]]
        expected = {
            str(r.pk) for r, n in zip(rows, needs, strict=True) if fits_plainly(n, capacity)
        }
        assert set(ask(fleet.graph, query, "variant")) == expected
        taken.append(timed_ms(lambda q=query: fleet.graph.run(q, JSON, ASKER)))
        found.append(len(expected))
    return {
        "device_variants_ms": statistics.median(taken),
        "device_variants_most_ms": max(taken),
        "device_variants_found": statistics.median(found),
    }


def fitting(profile) -> str:
    return f"{PREFIX} SELECT ?variant {{ ?variant tf:fits <{iri_of(profile)}> }}"


def bring_up_to_date() -> None:
    with closing(graph_store()) as store:
        while GraphChange.objects.exists():
            drain(store)


def new_variant(fleet: Fleet) -> dict[str, float]:
    """From its commit until the graph gives the devices that DuckDB gives."""
    old = Variant.objects.get(pk=generated().order_by("pk").first().pk)
    figures = list(old.measurements.all())
    with transaction.atomic():
        old.pk, old.name, old._state.adding = None, "new", True
        old.save()
        for figure in figures:
            figure.pk, figure.variant, figure._state.adding = None, old, True
            figure.save()
    began = time.perf_counter()
    variant = generated().get(pk=old.pk)
    device = Device.objects.get(device_id=fleet.names[0])
    expected = fleet.expected(need_of(variant))
    assert (assess_pair(device, variant).answer is Answer.FITS) == (fleet.names[0] in expected)
    assess_s = time.perf_counter() - began
    began = time.perf_counter()
    bring_up_to_date()
    found = ask(fleet.graph, devices_of(variant), "device")
    taken_s = time.perf_counter() - began
    assert set(found) == expected
    return {"new_variant_s": taken_s, "new_variant_assess_s": assess_s}


def new_profiles(profiles: list[CapabilityProfile], device: Device, fleet: Fleet) -> float:
    """From the commit until the graph names the variants that fit each of them, as DuckDB does."""
    variants = list(generated())
    needs = [need_of(variant) for variant in variants]
    began = time.perf_counter()
    bring_up_to_date()
    answers = [
        ask(
            fleet.graph, f"{PREFIX} SELECT ?variant {{ ?variant tf:fits <{iri_of(p)}> }}", "variant"
        )
        for p in profiles
    ]
    moved = ask(fleet.graph, variants_of(device), "variant")
    taken_s = time.perf_counter() - began
    bare = BareBoard.from_settings()
    rows = {p.pk: p for p in profiles_with_capacity().filter(pk__in=[p.pk for p in profiles])}
    for profile, answer in zip(profiles, answers, strict=True):
        capacity = capacity_of(rows[profile.pk], bare)
        pairs = zip(variants, needs, strict=True)
        expected = {str(v.pk) for v, need in pairs if fits_plainly(need, capacity)}
        assert set(answer) == expected
        if profile.pk == device.profile_id:
            assert set(moved) == expected
    some = variants[0]
    judged = assess_pair(device, some).answer is Answer.FITS
    assert judged == (str(some.pk) in set(moved))
    return taken_s


def new_build(fleet: Fleet) -> dict[str, float]:
    """A build for a board, with the profile of each pack of sensors, and a device that runs it."""
    device = Device.objects.select_related("profile__firmware__board").order_by("pk").first()
    build = device.profile.firmware
    others = CapabilityProfile.objects.filter(firmware=build)
    packs = [[Sensor(s["kind"], s["max_rate_hz"], None) for s in p.sensors] for p in others]
    with transaction.atomic():
        build.pk, build.version, build._state.adding = None, "new", True
        build.arena_budget_bytes //= 2
        build.capacity_digest = "f" * 64
        build.save()
        profiles = [profile_for(build.board, build, pack) for pack in packs]
        device.profile = profiles[0]
        device.save()
    return {
        "new_build_s": new_profiles(profiles, device, fleet),
        "new_build_profiles": len(profiles),
    }


def changed_sensor(fleet: Fleet) -> dict[str, float]:
    device = (
        Device.objects.select_related("profile__board", "profile__firmware").order_by("-pk").first()
    )
    with transaction.atomic():
        faster = [Sensor("microphone", 44_100.0, (1,)), Sensor("camera", 90.0, (96, 96, 3))]
        profile = profile_for(device.profile.board, device.profile.firmware, faster)
        device.profile = profile
        device.save()
    return {"changed_sensor_s": new_profiles([profile], device, fleet)}


def main(folder: Path) -> None:
    fleet = Fleet(folder)
    gc.freeze()  # what is kept here for comparing, no scheduler has to walk through
    figures = one_variants_devices(fleet, folder) | one_devices_variants(fleet)
    figures |= new_variant(fleet) | new_build(fleet) | changed_sensor(fleet)
    assert FirmwareBuild.objects.filter(version="new").exists()
    fleet.graph.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
