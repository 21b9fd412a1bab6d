"""The shipped catalogue becomes rows: all of it, or none of it where a file breaks a rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import structlog
from django.db import transaction

import registry
from registry.models import BoardType, Device, Runtime
from registry.models.hardware import OnboardSensor
from registry.services.catalogue_entries import (
    BoardEntry,
    CatalogueError,
    RuntimeEntry,
    SensorEntry,
    read_catalogue,
)
from registry.services.changes import Change, assign
from registry.services.things import describe_device

__all__ = ["CATALOGUE_DIR", "CatalogueError", "CatalogueReport", "Change", "load_catalogue"]

log = structlog.get_logger(__name__)

CATALOGUE_DIR = Path(registry.__file__).parent / "catalogue"


@dataclass(frozen=True, slots=True)
class CatalogueReport:
    """How many rows were created, updated and left unchanged."""

    boards: Counter[Change] = field(default_factory=Counter)
    runtimes: Counter[Change] = field(default_factory=Counter)


def load_catalogue(directory: Path = CATALOGUE_DIR) -> CatalogueReport:
    """Bring board types and runtimes up to the files; rows that no file names stay.

    Loading the same files again changes nothing. Raises CatalogueError, and changes nothing, where
    a file breaks a rule.
    """
    catalogue = read_catalogue(directory)
    with transaction.atomic():
        report = CatalogueReport(
            boards=Counter(_load_boards(catalogue.boards)),
            runtimes=Counter(_load_runtimes(catalogue.runtimes)),
        )
    log.info("catalogue_loaded", boards=dict(report.boards), runtimes=dict(report.runtimes))
    return report


def _load_boards(entries: tuple[BoardEntry, ...]) -> list[Change]:
    rows = {row.slug: row for row in BoardType.objects.prefetch_related("onboard_sensors")}
    return [_load_board(entry, rows.get(entry.slug)) for entry in entries]


def _load_board(entry: BoardEntry, row: BoardType | None) -> Change:
    facts = {name: getattr(entry, name) for name in _BOARD_FIELDS}
    if row is None:
        _add_sensors(BoardType.objects.create(**facts), entry.sensors)
        return Change.CREATED
    same_facts, same_sensors = not assign(row, facts), _sensors_of(row) == set(entry.sensors)
    if same_facts and same_sensors:
        return Change.UNCHANGED
    row.save()
    if not same_sensors:
        row.onboard_sensors.all().delete()
        _add_sensors(row, entry.sensors)
        _derive_bare_profiles_again(row)
    return Change.UPDATED


_BOARD_FIELDS = (
    "slug",
    "name",
    "vendor",
    "mcu",
    "core",
    "clock_hz",
    "ram_bytes",
    "flash_bytes",
    "url",
    "source",
)


def _sensors_of(board: BoardType) -> set[SensorEntry]:
    return {
        SensorEntry(
            row.kind,
            row.part,
            row.observes,
            row.max_rate_hz,
            tuple(row.shape) if row.shape else None,
            row.least,
            row.greatest,
            row.unit,
            row.power_mw,
            row.current_ma,
            row.conditions,
            row.source,
        )
        for row in board.onboard_sensors.all()
    }


def _add_sensors(board: BoardType, sensors: tuple[SensorEntry, ...]) -> None:
    OnboardSensor.objects.bulk_create(
        OnboardSensor(board=board, **asdict(entry) | {"shape": _as_list(entry.shape)})
        for entry in sensors
    )


def _as_list(shape: tuple[int, ...] | None) -> list[int] | None:
    return None if shape is None else list(shape)


def _derive_bare_profiles_again(board: BoardType) -> None:
    """A device without firmware has the sensors that the catalogue gives its board."""
    for device in Device.objects.filter(profile__board=board, profile__firmware=None):
        describe_device(device, device.td.encode())


def _load_runtimes(entries: tuple[RuntimeEntry, ...]) -> list[Change]:
    rows = {(row.name, row.version, row.kernels): row for row in Runtime.objects.all()}
    changes = []
    for entry in entries:
        key = (entry.name, entry.version, entry.kernels)
        row = rows.get(key) or Runtime(
            name=entry.name, version=entry.version, kernels=entry.kernels
        )
        changes.append(_load_runtime(entry, row))
    return changes


def _load_runtime(entry: RuntimeEntry, row: Runtime) -> Change:
    facts = {
        "operators": dict(entry.operators),
        "dtypes": sorted(entry.dtypes),
        "source": entry.source,
    }
    change = Change.CREATED if row.pk is None else Change.UPDATED
    if not assign(row, facts):
        return Change.UNCHANGED
    row.save()
    return change
