"""The smallest arena in which TFLite Micro runs a network on a 32-bit core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from registry.footprint.lifetimes import LifetimeWalk
from registry.footprint.planner import aligned, height, place
from registry.formats.network import Network


@dataclass(frozen=True, slots=True)
class ArenaPlan:
    """What an arena must hold, in bytes.

    `arena_bytes` is None where an operator's need is not known; `unknown` names those. `parts` says
    what the bytes are for; `memory_timeline` has the bytes of live buffers at each planning step.
    """

    arena_bytes: int | None
    parts: Mapping[str, int] = field(default_factory=dict)
    memory_timeline: tuple[int, ...] = ()
    unknown: tuple[str, ...] = ()


def predict_arena(network: Network, kernels: str = "cmsis_nn") -> ArenaPlan:
    """The arena that TFLite Micro needs for `network` with the given kernels."""
    placements = place(LifetimeWalk(network, {}).buffers())
    head = height(placements)
    steps = max((placement.buffer.last for placement in placements), default=0)
    timeline = [0] * (steps + 1)
    for placement in placements:
        for step in range(max(placement.buffer.first, 0), placement.buffer.last + 1):
            timeline[step] += placement.buffer.size
    return ArenaPlan(aligned(head), {"nonpersistent": head}, tuple(timeline))
