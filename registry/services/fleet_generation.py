"""A fleet of any size from a seed: for trying the product out at scale, and for its benchmarks.

Rows are written in bulk and their graphs marked as a whole, so a hundred thousand devices take
seconds; one transaction, so there is all of a fleet or none of it.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from registry.models import (
    CapabilityProfile,
    Device,
    DeviceStatus,
    FirmwareBuild,
    RegisteredModel,
    SubjectKind,
)
from registry.services.generated_hardware import (
    BOARDS,
    RUNTIMES,
    SENSOR_PACKS,
    CatalogueTooSmall,
    draw_builds,
    draw_hardware,
)
from registry.services.generated_networks import create_networks
from registry.services.graph_outbox import EVERY, mark_all
from registry.services.profiles import canonical_sensors, profile_digest

__all__ = ["PROFILES", "CatalogueTooSmall", "FleetRefused", "FleetSize", "generate_fleet"]

log = structlog.get_logger(__name__)

PROFILES = BOARDS * RUNTIMES * len(SENSOR_PACKS)
_GENERATED = (
    SubjectKind.RUNTIME,
    SubjectKind.FIRMWARE,
    SubjectKind.PROFILE,
    SubjectKind.DEVICE,
    SubjectKind.MODEL,
    SubjectKind.RELEASE,
    SubjectKind.VARIANT,
    SubjectKind.VERDICTS,
)
_ROWS_AT_ONCE = 5_000


class FleetRefused(ValueError):
    """A fleet that cannot be made as asked; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class FleetSize:
    """How much is to be made. Profiles beyond one a board, runtime and pack are newer builds."""

    devices: int
    variants: int = 0
    profiles: int = PROFILES


def generate_fleet(size: FleetSize, seed: int) -> Counter[str]:
    """Make a fleet, the same for the same seed and catalogue; how many rows of each kind.

    Raises FleetRefused beyond the limits of the settings, where profiles would be without a device,
    and where a fleet of that seed is there; CatalogueTooSmall where there is nothing to draw from.
    """
    _check(size, seed)
    draw = random.Random(seed)
    name = f"generated-{seed}"
    with transaction.atomic():
        if RegisteredModel.objects.filter(name=name).exists() or _devices_of(seed).exists():
            raise FleetRefused(f"there is a fleet of seed {seed} already; take another seed")
        hardware = draw_hardware(draw)
        generations = math.ceil(size.profiles / PROFILES)
        builds = FirmwareBuild.objects.bulk_create(
            draw_builds(draw, hardware, generations, name), batch_size=_ROWS_AT_ONCE
        )
        profiles = _create_profiles(builds, size.profiles)
        _create_devices(draw, profiles, size.devices, seed)
        if size.variants:
            create_networks(draw, hardware, size.variants, name)
        mark_all((kind, EVERY) for kind in _GENERATED)
    made = Counter(firmware=len(builds), profiles=len(profiles), devices=size.devices)
    log.info("fleet_generated", seed=seed, variants=size.variants, **made)
    return made + Counter(variants=size.variants)


def _check(size: FleetSize, seed: int) -> None:
    for what, count, most in (
        ("devices", size.devices, settings.GENERATED_DEVICES_MAX),
        ("variants", size.variants, settings.GENERATED_VARIANTS_MAX),
    ):
        if count > most:
            raise FleetRefused(f"{count:,} {what} are more than the limit of {most:,}")
    if size.devices < 1 or size.profiles < 1 or size.variants < 0 or seed < 0:
        raise FleetRefused("devices and profiles are at least 1, variants and seed at least 0")
    if size.profiles > size.devices:
        raise FleetRefused(f"{size.profiles:,} profiles need as many devices")


def _devices_of(seed: int) -> QuerySet[Device]:
    return Device.objects.filter(device_id__startswith=f"generated-{seed}-")


def _create_profiles(builds: Sequence[FirmwareBuild], count: int) -> list[CapabilityProfile]:
    packs = [canonical_sensors(pack) for pack in SENSOR_PACKS]
    combinations = islice(product(builds, packs), count)
    rows = [
        CapabilityProfile(
            digest=profile_digest(build.board, build, sensors),
            board=build.board,
            firmware=build,
            sensors=sensors,
        )
        for build, sensors in combinations
    ]
    return CapabilityProfile.objects.bulk_create(rows, batch_size=_ROWS_AT_ONCE)


def _create_devices(
    draw: random.Random, profiles: Sequence[CapabilityProfile], count: int, seed: int
) -> None:
    rows = _devices(draw, profiles, count, seed)
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        Device.objects.bulk_create(batch)


def _devices(
    draw: random.Random, profiles: Sequence[CapabilityProfile], count: int, seed: int
) -> Iterator[Device]:
    """A device of each profile, then any; a number in the order in which they were made."""
    now = timezone.now()
    for number in range(count):
        profile = profiles[number] if number < len(profiles) else draw.choice(profiles)
        yield Device(
            device_id=f"generated-{seed}-{number:07d}",
            status=DeviceStatus.ACCEPTED,
            profile=profile,
            created_at=now,
            accepted_at=now,
        )
