"""Boards, runtimes and sensor packs of a generated fleet: the catalogue's, where it has enough."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from ontology.facts import Sensor
from registry.models import BoardType, FirmwareBuild, Runtime
from registry.services.profiles import digest_of

BOARDS, RUNTIMES, OPERATORS = 12, 4, 60

# Six kinds of extension that a board may carry: what the published TinyML tasks listen to.
SENSOR_PACKS: Sequence[tuple[Sensor, ...]] = (
    (),
    (Sensor("microphone", 16_000.0, (1,)),),
    (Sensor("accelerometer", 400.0, (3,)), Sensor("gyroscope", 400.0, (3,))),
    (Sensor("camera", 15.0, (240, 320, 3)),),
    (Sensor("temperature", 1.0, (1,)), Sensor("humidity", 1.0, (1,))),
    (Sensor("microphone", 48_000.0, (2,)), Sensor("camera", 5.0, (96, 96, 1))),
)
_KIB = 1024


class CatalogueTooSmall(Exception):
    """The catalogue lacks what a fleet is generated from."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What builds are drawn from; `operators` is an operator's name to its highest version."""

    boards: Sequence[BoardType]
    runtimes: Sequence[Runtime]
    operators: Mapping[str, int]


def draw_hardware(draw: random.Random) -> Hardware:
    """Boards of known memory, runtimes and operators of the catalogue, the same for equal draws.

    A runtime that the catalogue lacks is an earlier year of the first, and said to be generated.
    """
    known = BoardType.objects.exclude(ram_bytes=None).exclude(flash_bytes=None).order_by("slug")
    named = [row for row in Runtime.objects.order_by("name", "version", "kernels") if row.operators]
    if known.count() < BOARDS or not named or len(named[0].operators) < OPERATORS:
        problem = f"{BOARDS} boards of known memory and a runtime of {OPERATORS} operators"
        raise CatalogueTooSmall(f"the catalogue lacks {problem}; run manage.py load_catalogue")
    first = named[0]
    names = draw.sample(sorted(first.operators), OPERATORS)
    runtimes = [*named[:RUNTIMES], *_earlier(first, RUNTIMES - len(named))]
    versions = {name: int(first.operators[name]) for name in sorted(names)}
    return Hardware(draw.sample(list(known), BOARDS), runtimes, versions)


def _earlier(runtime: Runtime, count: int) -> Iterator[Runtime]:
    for number in range(1, count + 1):
        row, _ = Runtime.objects.get_or_create(
            name=runtime.name,
            version=f"generated-{number}",
            kernels=runtime.kernels,
            defaults={
                "operators": runtime.operators,
                "dtypes": runtime.dtypes,
                "source": f"generated: as {runtime}",
            },
        )
        yield row


def draw_builds(
    draw: random.Random, hardware: Hardware, generations: int, name: str
) -> Iterator[FirmwareBuild]:
    """One build for each board and runtime in each generation, each with sizes of its own.

    Half of the builds link every operator; the others leave a fifth out, as small images do.
    """
    for generation in range(1, generations + 1):
        for board, runtime in product(hardware.boards, hardware.runtimes):
            linked = OPERATORS if draw.random() < 0.5 else OPERATORS * 4 // 5
            names = draw.sample(sorted(hardware.operators), linked)
            capacity = {
                "arena_budget_bytes": _share(draw, board.ram_bytes or 0, 0.2, 0.8),
                "slot_bytes": _share(draw, board.flash_bytes or 0, 0.2, 0.45),
                "operators": {name: hardware.operators[name] for name in sorted(names)},
                "dtypes": None,
            }
            identity = {"name": runtime.name, "version": runtime.version}
            identity |= {"kernels": runtime.kernels}
            yield FirmwareBuild(
                board=board,
                runtime=runtime,
                name=name,
                version=f"{runtime.pk}.{generation}",
                capacity_digest=digest_of(capacity | {"runtime": identity}),
                **capacity,
            )


def _share(draw: random.Random, size_bytes: int, least: float, most: float) -> int:
    """A share of a memory, in whole KiB."""
    return max(_KIB, int(size_bytes * draw.uniform(least, most)) // _KIB * _KIB)
