"""Variants of a generated fleet: figures alone, drawn over the sizes that TinyML networks have."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

from django.utils import timezone

from ontology.facts import Metric, Sensor, Status
from registry.models import Measurement, RegisteredModel, Release, Runtime, Variant
from registry.services.generated_hardware import SENSOR_PACKS, Hardware
from registry.services.measurements import UNITS

VARIANTS_A_RELEASE = 50

# From the smallest keyword spotters to detectors: bytes of the file and of the arena.
_FLASH_BYTES = (4_000, 2_000_000)
_ARENA_BYTES = (2_000, 500_000)
_WIDEST_ARENA = 1.3  # kernels with scratch buffers need more than the reference's


def create_networks(draw: random.Random, hardware: Hardware, count: int, name: str) -> None:
    """So many variants under one model, each with flash, arena by runtime and accuracy."""
    model = RegisteredModel.objects.create(
        name=name, task="generated", description="Figures drawn at random; no artifacts"
    )
    numbers = range(1, math.ceil(count / VARIANTS_A_RELEASE) + 1)
    releases = [
        Release(model=model, number=number, data_source=name, created_at=timezone.now())
        for number in numbers
    ]
    Release.objects.bulk_create(releases)
    variants = [
        _variant(draw, hardware, releases[number // VARIANTS_A_RELEASE], number)
        for number in range(count)
    ]
    Variant.objects.bulk_create(variants, batch_size=500)
    figures = [
        figure for variant in variants for figure in _figures(draw, variant, hardware.runtimes)
    ]
    Measurement.objects.bulk_create(figures, batch_size=2_000)


def _variant(draw: random.Random, hardware: Hardware, release: Release, number: int) -> Variant:
    names = draw.sample(sorted(hardware.operators), draw.randint(3, 12))
    precision = draw.choice(["int8", "int8", "int8", "float32"])
    known = sorted({runtime.name for runtime in hardware.runtimes})
    return Variant(
        release=release,
        name=f"v{number}",
        precision=precision,
        operators={name: draw.randint(1, hardware.operators[name]) for name in sorted(names)},
        dtypes=[precision],
        sensors=[_needed(draw, sensor) for sensor in draw.choice(SENSOR_PACKS)[:1]],
        runtimes=known,
    )


def _needed(draw: random.Random, sensor: Sensor) -> dict[str, object]:
    return {"kind": sensor.kind, "rate_hz": (sensor.max_rate_hz or 0) * draw.choice([0.5, 1, 2])}


def _figures(
    draw: random.Random, variant: Variant, runtimes: Sequence[Runtime]
) -> Iterator[Measurement]:
    arena = _between(draw, _ARENA_BYTES)
    yield _figure(variant, Metric.FLASH_BYTES, _between(draw, _FLASH_BYTES))
    yield _figure(variant, Metric.ACCURACY, round(draw.uniform(0.6, 0.99), 4))
    for runtime in runtimes:
        need = int(arena * draw.uniform(1.0, _WIDEST_ARENA))
        yield _figure(variant, Metric.ARENA_BYTES, need, runtime)


def _between(draw: random.Random, sizes: tuple[int, int]) -> int:
    """Evenly by order of magnitude."""
    return int(math.exp(draw.uniform(*map(math.log, sizes))))


def _figure(
    variant: Variant, metric: Metric, value: float, runtime: Runtime | None = None
) -> Measurement:
    return Measurement(
        variant=variant,
        runtime=runtime,
        precision=variant.precision,
        metric=metric.value,
        value=value,
        unit=UNITS[metric],
        status=Status.DERIVED.value,
        source="generated",
    )
