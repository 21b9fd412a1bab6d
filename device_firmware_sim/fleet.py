"""Which devices a simulated fleet consists of. Light to import: nothing here runs a device."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from device_firmware_sim.builds import BUILDS, Build

BLIND_BOARD = "nucleo-f401re"
TINY_BOARD = "bbc-microbit-v1"
SMALLEST_MIXED_FLEET = 8
FLEET_PER_MISFIT = 24


@dataclass(frozen=True, slots=True)
class Member:
    """One unit of a fleet; `seed` gives it its own order of the stream."""

    device_id: str
    build: Build
    seed: int


def default_fleet(count: int = 24, seed: int = 7) -> list[Member]:
    """`count` units of real boards, the same for the same seed.

    One in 24 (one at least, from 8 units on) has no camera, and as many have an arena too small for
    any useful network: the two kinds that a server must refuse, each for its own reason. All others
    have a camera and run a network of 8 KiB in 5 KiB of arena.
    """
    if count < 1:
        raise ValueError(f"a fleet of {count} devices is none")
    misfits = max(1, count // FLEET_PER_MISFIT) if count >= SMALLEST_MIXED_FLEET else 0
    builds = [BUILDS[BLIND_BOARD].without("camera")] * misfits + [BUILDS[TINY_BOARD]] * misfits
    builds += _useful_builds(count - len(builds), seed)
    ordinals: Counter[str] = Counter()
    members = []
    for position, build in enumerate(builds):
        ordinals[build.board] += 1
        name = f"{build.board}-{ordinals[build.board]:02d}"
        members.append(Member(name, build, seed * 1_000_003 + position))
    return sorted(members, key=lambda member: member.device_id)


def _useful_builds(count: int, seed: int) -> list[Build]:
    """Every useful board once before any comes again, in an order that the seed draws."""
    useful = [build for board, build in BUILDS.items() if board != TINY_BOARD]
    random.Random(seed).shuffle(useful)
    return [useful[position % len(useful)] for position in range(count)]
