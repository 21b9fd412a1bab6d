"""Whole fleets against whole families at once: who fits and how many, without a reason for each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import QuerySet

from ontology.facts import Constraint
from ontology.matching import match_all
from ontology.matching.columns import CapacityColumns
from ontology.matching.outcomes import FAILS, HOLDS
from ontology.matching.population import FleetIndex, Population
from registry.models import Device, Variant
from registry.projection.facts import need_of, variants_with_needs
from registry.services.matching import capacities_of, in_name_order
from registry.services.pieces import chunks

_PAIRS_AT_ONCE = 500_000


@dataclass(frozen=True, slots=True)
class Coverage:
    """On how many devices a variant fits, may fit, and does not fit."""

    variant: Variant
    fits: int
    unknown: int
    does_not_fit: int


@dataclass(frozen=True, slots=True)
class FittingDevices:
    """The names of the devices that a variant surely fits."""

    variant: Variant
    devices: Sequence[str]


def coverage(
    devices: QuerySet[Device],
    variants: QuerySet[Variant],
    only: Collection[Constraint] | None = None,
) -> Iterator[Coverage]:
    """How far each variant reaches among these devices; with `only`, by these constraints alone."""
    fleet = _Fleet(devices)
    columns = CapacityColumns.of(fleet.capacities)
    population = Population(fleet.profile_of, len(columns))
    rows = _by_name(variants)
    for group in chunks(rows, max(1, _PAIRS_AT_ONCE // max(1, len(columns)))):
        outcomes = match_all([need_of(row) for row in group], columns, only).outcomes
        fits = population.counts(outcomes == HOLDS)
        fails = population.counts(outcomes == FAILS)
        for variant, fitting, failing in zip(group, fits.tolist(), fails.tolist(), strict=True):
            unknown = len(fleet.names) - fitting - failing
            yield Coverage(variant, fitting, unknown, failing)


def fitting_devices(
    devices: QuerySet[Device],
    variants: QuerySet[Variant],
    only: Collection[Constraint] | None = None,
) -> Iterator[FittingDevices]:
    """The devices that each variant surely fits, in the order of their names."""
    fleet = _Fleet(devices)
    index = FleetIndex(fleet.capacities, fleet.profile_of)
    for variant in _by_name(variants):
        numbers = np.sort(index.devices(need_of(variant), only))
        yield FittingDevices(variant, [fleet.names[number] for number in numbers])


class _Fleet:
    """Devices in the order of their names, and the capacities that they share."""

    def __init__(self, devices: QuerySet[Device]) -> None:
        rows = list(devices.order_by("device_id").values_list("device_id", "profile"))
        self.names = [name for name, _ in rows]
        by_profile = capacities_of(profile for _, profile in rows)
        self.capacities = list(by_profile.values())
        places = {profile: place for place, profile in enumerate(by_profile)}
        self.profile_of = np.array([places[profile] for _, profile in rows], dtype=np.int32)


def _by_name(variants: QuerySet[Variant]) -> list[Variant]:
    rows = variants_with_needs().in_bulk(list(variants.values_list("pk", flat=True)))
    return in_name_order(rows.values())
