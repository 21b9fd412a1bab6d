"""How long one inference takes: instructions, cycles of a core for each, and its clock.

Milliseconds of real boards are published for other runtimes than TFLite Micro with CMSIS-NN, so two
facts meet here: the cycles of a core per instruction that we predict, under a runtime that was
measured on it; and how much longer CMSIS-NN takes than that runtime on one and the same board.
`board_calibration` makes both of the measurements; docs/footprint.md tells how far they err.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from registry.footprint.latency import Estimate, network_work
from registry.formats.network import Network

SPEEDS_FILE = Path(__file__).with_name("core_speeds.json")

# The floating-point unit takes no part in what is calibrated: int8.
_SAME_CORE = {"cortex-m4f": "cortex-m4", "cortex-m33f": "cortex-m33", "cortex-m7f": "cortex-m7"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A calibrated figure with the relative error that four of five left-out cases stay below."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class CoreSpeeds:
    """Cycles per predicted instruction by core, milliwatts while it infers by board."""

    source: str
    cycles_per_instruction: Mapping[str, Figure]
    power_mw: Mapping[str, Figure]


@cache
def core_speeds() -> CoreSpeeds:
    """The figures that this product carries."""
    facts = json.loads(SPEEDS_FILE.read_text(encoding="utf-8"))
    return CoreSpeeds(
        source=facts["source"],
        cycles_per_instruction=_figures(facts["cycles_per_instruction"]),
        power_mw=_figures(facts["power_mw"]),
    )


def predict_latency(
    network: Network, instructions: Estimate | None, core: str, clock_hz: int | None
) -> Estimate | None:
    """Milliseconds of one inference on a core at a clock; None without a basis.

    There is one for int8 networks on the cores that were measured. `instructions` are those of a
    Cortex-M4 with CMSIS-NN.
    """
    speed = core_speeds().cycles_per_instruction.get(_SAME_CORE.get(core, core))
    if instructions is None or speed is None or not clock_hz or not _is_int8(network):
        return None
    return Estimate(_rounded(instructions.value * speed.value / clock_hz * 1e3), speed.error)


def predict_energy(latency_ms: Estimate | None, board: str) -> Estimate | None:
    """Millijoules of one inference on a board whose power was measured; None for others."""
    power = core_speeds().power_mw.get(board)
    if latency_ms is None or latency_ms.error is None or power is None:
        return None
    error = (1 + latency_ms.error) * (1 + power.error) - 1
    return Estimate(_rounded(latency_ms.value * power.value / 1e3), round(error, 3))


def _is_int8(network: Network) -> bool:
    return not any(kind.endswith("FLOAT32") for kind in network_work(network))


def _figures(facts: Mapping[str, Mapping[str, float]]) -> dict[str, Figure]:
    return {name: Figure(each["value"], each["error"]) for name, each in facts.items()}


def _rounded(value: float) -> float:
    """Four digits: more would say more than the error allows."""
    return float(f"{value:.4g}")
