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

from ontology.facts import Pace
from ontology.matching.pace import energy_mj, latency_ms
from registry.footprint.latency import Estimate, network_work
from registry.formats.network import Network

INT8 = "int8 arithmetic"
FLOAT = "floating point"
SPEEDS_FILE = Path(__file__).with_name("core_speeds.json")

_SOURCE = "MLPerf Tiny v1.2 on boards, and CMSIS-NN beside X-CUBE-AI on one board"

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


def arithmetic(network: Network) -> str:
    """What its instructions compute with: a core's pace differs between these."""
    floats = any(kind.endswith("FLOAT32") for kind in network_work(network))
    return FLOAT if floats else INT8


def pace_of(core: str, clock_hz: int | None, board: str = "") -> Pace | None:
    """How fast a core works at a clock; None for cores that were not measured."""
    known = core_speeds()
    speed = known.cycles_per_instruction.get(_SAME_CORE.get(core, core))
    if speed is None or not clock_hz:
        return None
    power = known.power_mw.get(board)
    instruction_ns = speed.value / clock_hz * 1e9
    if power is None:
        return Pace(instruction_ns, speed.error, INT8, _SOURCE)
    return Pace(instruction_ns, speed.error, INT8, _SOURCE, power.value, power.error)


def predict_latency(
    network: Network, instructions: Estimate | None, pace: Pace | None
) -> Estimate | None:
    """Milliseconds of one inference at a core's pace; None without a basis.

    There is one for int8 networks. `instructions` are those of a Cortex-M4 with CMSIS-NN.
    """
    if instructions is None or pace is None or arithmetic(network) != pace.conditions:
        return None
    return Estimate(latency_ms(instructions.value, pace), pace.error)


def predict_energy(milliseconds: Estimate | None, pace: Pace | None) -> Estimate | None:
    """Millijoules of one inference on a board whose power was measured; None for others."""
    if milliseconds is None or pace is None or pace.power_mw is None:
        return None
    return Estimate(*energy_mj(milliseconds.value, pace))


def _figures(facts: Mapping[str, Mapping[str, float]]) -> dict[str, Figure]:
    return {name: Figure(each["value"], each["error"]) for name, each in facts.items()}
