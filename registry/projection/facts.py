"""Rows become facts here and nowhere else, so matching, the graph and the API judge the same thing.

Both readers touch only what `variants_with_needs` and `profiles_with_capacity` have fetched: a loop
over those asks the database a fixed number of times, however many rows there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from ontology.facts import (
    Capacity,
    Figure,
    Metric,
    Need,
    Pace,
    RuntimeId,
    Sensor,
    SensorNeed,
    Status,
)
from ontology.matching.figures import best_figure
from registry.footprint.core_speed import pace_of
from registry.formats.model_file import MEDIA_TYPES
from registry.formats.network import FileFormat
from registry.models import (
    BoardType,
    CapabilityProfile,
    FirmwareBuild,
    Measurement,
    Runtime,
    Variant,
)

# A device that has not described itself: nothing is known, so nothing fits and nothing fails.
UNDESCRIBED = Capacity(profile="")

# Which interpreters read a file format; a name here is a Runtime's name in the catalogue.
RUNTIMES_OF_FORMAT: Mapping[str, frozenset[str]] = {
    MEDIA_TYPES[FileFormat.TFLITE]: frozenset(
        {"tflite-micro", "litert", "tinyengine", "stm32cube-ai"}
    ),
    MEDIA_TYPES[FileFormat.ONNX]: frozenset({"onnxruntime", "stm32cube-ai"}),
}


@dataclass(frozen=True, slots=True)
class BareBoard:
    """What is assumed of a board that no firmware speaks for.

    The reserves are fractions of the chip's memory that firmware, stack and (of flash) the second
    slot would take; the runtime is the one that such a board would most likely be given.
    """

    ram_reserve: float
    flash_reserve: float
    runtime: Runtime | None = None

    @classmethod
    def from_settings(cls) -> BareBoard:
        """The installation's own assumption; one query for the runtime."""
        return cls(
            ram_reserve=settings.BARE_BOARD_RAM_RESERVE,
            flash_reserve=settings.BARE_BOARD_FLASH_RESERVE,
            runtime=_plainest_runtime(settings.BARE_BOARD_RUNTIME),
        )


def _plainest_runtime(name: str) -> Runtime | None:
    """Reference kernels run anywhere, so they are assumed before any that need a certain core.

    A row without operators only stands for versions that the catalogue does not know.
    """
    rows = list(Runtime.objects.filter(name=name))
    return min(rows, key=_plainness, default=None)


def _plainness(row: Runtime) -> tuple[bool, bool, int]:
    return not row.operators, row.kernels not in {"", "reference"}, -row.pk


def variants_with_needs() -> QuerySet[Variant]:
    """Variants with all that `need_of` reads, and without their layers, which are many."""
    rows = Variant.objects.defer("description").select_related("artifact", "release__model")
    return rows.prefetch_related(
        "measurements__runtime", "measurements__board", "measurements__device__profile__board"
    )


def profiles_with_capacity() -> QuerySet[CapabilityProfile]:
    """Profiles with all that `capacity_of` reads, in one query however many builds they have."""
    return CapabilityProfile.objects.select_related("board", "firmware__runtime")


def all_profiles_with_capacity() -> list[CapabilityProfile]:
    """Every profile, for `capacity_of`; those of one build hold the same row, read once.

    Profiles are read first: what they refer to was there before them.
    """
    profiles = list(CapabilityProfile.objects.all())
    builds, boards = FirmwareBuild.objects.in_bulk(), BoardType.objects.in_bulk()
    runtimes = Runtime.objects.in_bulk()
    for build in builds.values():
        build.runtime = None if build.runtime_id is None else runtimes[build.runtime_id]
    for profile in profiles:
        profile.board = boards[profile.board_id]
        profile.firmware = None if profile.firmware_id is None else builds[profile.firmware_id]
    return profiles


def need_of(variant: Variant) -> Need:
    """What one variant needs; keyed by the variant's primary key as text."""
    read = (figure_of(measurement) for measurement in variant.measurements.all())
    figures = tuple(figure for figure in read if figure is not None)
    artifact = variant.artifact
    return Need(
        variant=str(variant.pk),
        flash_bytes=artifact.size_bytes if artifact else _stated_flash_bytes(figures),
        figures=figures,
        operators=variant.operators,
        dtypes=_set_or_unknown(variant.dtypes),
        sensors=_sensor_needs(variant.sensors),
        runtimes=_runtimes(variant),
    )


def _runtimes(variant: Variant) -> frozenset[str] | None:
    """Those that it is said to run on; else those that read its artifact's format."""
    if variant.runtimes is not None:
        return frozenset(variant.runtimes)
    artifact = variant.artifact
    return RUNTIMES_OF_FORMAT.get(artifact.media_type) if artifact else None


def _stated_flash_bytes(figures: tuple[Figure, ...]) -> int | None:
    """What a variant without an artifact is said to take of flash, where that is one figure.

    Figures that hold for a board or a runtime alone are left to the rules, which know the target.
    """
    flash = [figure for figure in figures if figure.metric is Metric.FLASH_BYTES]
    if any(figure.board or figure.runtime for figure in flash):
        return None
    best = best_figure(flash, Metric.FLASH_BYTES, None, None)
    return None if best is None else math.ceil(best.value)


def figure_of(measurement: Measurement) -> Figure | None:
    """A measurement as matching sees it, or None where it says nothing about other devices.

    A figure taken on one device holds for its board type. One taken on a device whose board is not
    known, or at another precision than the variant's own, holds for nothing else.
    """
    board = _board_of(measurement)
    foreign = measurement.precision not in {"", measurement.variant.precision}
    if foreign or (measurement.device_id is not None and board is None):
        return None
    return Figure(
        metric=Metric(measurement.metric),
        value=measurement.value,
        status=Status(measurement.status),
        source=measurement.source,
        runtime=runtime_id(measurement.runtime) if measurement.runtime else None,
        board=board,
        dataset=measurement.dataset,
        conditions=measurement.conditions,
        error=measurement.error,
    )


def _board_of(measurement: Measurement) -> str | None:
    if measurement.board is not None:
        return measurement.board.slug
    profile = measurement.device.profile if measurement.device else None
    return profile.board.slug if profile else None


def runtime_id(runtime: Runtime) -> RuntimeId:
    """A runtime's identity without its contents."""
    return RuntimeId(runtime.name, runtime.version, runtime.kernels)


def capacity_of(profile: CapabilityProfile, bare: BareBoard) -> Capacity:
    """What one profile offers: what its firmware declares, or what is assumed of a bare board."""
    if profile.firmware is None:
        return _assumed_capacity(profile, bare)
    firmware = profile.firmware
    return Capacity(
        profile=profile.digest,
        slot_bytes=firmware.slot_bytes,
        arena_budget_bytes=firmware.arena_budget_bytes,
        runtime=runtime_id(firmware.runtime) if firmware.runtime else None,
        operators=operators_of(firmware),
        dtypes=_firmware_dtypes(firmware),
        sensors=_sensors(profile.sensors),
        board=profile.board.slug,
        pace=board_pace(profile.board),
    )


def board_pace(board: BoardType) -> Pace | None:
    """How fast its core is at its clock; None where either is not known."""
    return pace_of(board.core, board.clock_hz, board.slug)


def _assumed_capacity(profile: CapabilityProfile, bare: BareBoard) -> Capacity:
    runtime = bare.runtime
    return Capacity(
        profile=profile.digest,
        slot_bytes=_after_reserve(profile.board.flash_bytes, bare.flash_reserve),
        arena_budget_bytes=_after_reserve(profile.board.ram_bytes, bare.ram_reserve),
        runtime=runtime_id(runtime) if runtime else None,
        operators=(runtime.operators or None) if runtime else None,
        dtypes=_known_set(runtime.dtypes) if runtime else None,
        sensors=_sensors(profile.sensors),
        board=profile.board.slug,
        assumed=True,
        pace=board_pace(profile.board),
    )


def operators_of(firmware: FirmwareBuild) -> Mapping[str, int] | None:
    """What this image links; where it does not say, what its runtime registers.

    A runtime whose operators were never entered (an empty mapping) has unknown ones, not none.
    """
    if firmware.operators is not None:
        return firmware.operators
    return (firmware.runtime.operators or None) if firmware.runtime else None


def _firmware_dtypes(firmware: FirmwareBuild) -> frozenset[str] | None:
    if firmware.dtypes is not None:
        return frozenset(firmware.dtypes)
    return _known_set(firmware.runtime.dtypes) if firmware.runtime else None


def _after_reserve(size_bytes: int | None, reserve: float) -> int | None:
    return None if size_bytes is None else int(size_bytes * (1 - reserve))


def _known_set(values: list[str]) -> frozenset[str] | None:
    return frozenset(values) or None


def _set_or_unknown(values: list[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)


def _sensor_needs(raw: list[dict[str, Any]] | None) -> tuple[SensorNeed, ...] | None:
    if raw is None:
        return None
    return tuple(SensorNeed(s["kind"], s.get("rate_hz"), _shape(s.get("shape"))) for s in raw)


def _sensors(raw: list[dict[str, Any]] | None) -> tuple[Sensor, ...] | None:
    if raw is None:
        return None
    return tuple(Sensor(s["kind"], s.get("max_rate_hz"), _shape(s.get("shape"))) for s in raw)


def _shape(raw: list[int] | None) -> tuple[int, ...] | None:
    return None if raw is None else tuple(raw)
