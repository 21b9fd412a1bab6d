"""The errors of predicted footprints, case by case, as docs/footprint.md shows them.

    python -m tests.benchmarks.footprint_tables DATA

writes the tables into the page anew: no figure there is typed in.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np

from registry.footprint.arena import predict_arena
from registry.footprint.board_calibration import (
    calibrate,
    read_ratios,
    read_submissions,
    reference_instructions,
)
from registry.footprint.calibration import left_out_errors, read_samples
from registry.footprint.code import code_facts
from registry.footprint.core_speed import core_speeds
from registry.formats.tflite import parse
from tests.benchmarks.page_tables import with_blocks
from tests.registry.measured import all_models, measured_rows, model_bytes
from tests.registry.runtime.cases import Case as Asked
from tests.registry.runtime.comparison import asked_beside, difference
from tests.registry.runtime.random_graphs import random_networks
from tests.registry.runtime.sweep import FAMILIES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "footprint.md"
GROWN = 40
OF_EACH = 3


@dataclass(frozen=True, slots=True)
class Case:
    """A figure that was predicted and measured."""

    name: str
    predicted: float
    measured: float

    @property
    def error(self) -> float:
        """0.25 where the prediction is a quarter too high."""
        return self.predicted / self.measured - 1


def arena_cases(data: Path) -> list[Case]:
    """The smallest arena of each measured network, in bytes, with CMSIS-NN."""
    cases = []
    for row in measured_rows(data):
        plan = predict_arena(parse(model_bytes(data, row["model"])))
        assert plan.arena_bytes is not None, row["model"]
        cases.append(Case(row["model"], plan.arena_bytes, float(row["arena_min_bytes"])))
    return cases


def instruction_cases(data: Path) -> list[Case]:
    """Instructions of each measured network that gets a figure, by costs fitted without it."""
    samples = list(read_samples(data))
    kinds = sorted({kind for sample in samples for kind in sample.work})
    work = np.array([[sample.work.get(kind, 0.0) for kind in kinds] for sample in samples])
    counts = np.array([sample.instructions for sample in samples])
    errors = left_out_errors(work, counts)
    return [
        Case(samples[row].name, (1 + error) * counts[row], float(counts[row]))
        for row, error in errors.items()
    ]


def power_cases(data: Path) -> list[tuple[str, str, float, float]]:
    """(board, network, milliwatts measured, milliwatts carried) of each submission."""
    carried = core_speeds().power_mw
    return [
        (each.board, each.network, each.energy_j / each.latency_s * 1e3, carried[each.board].value)
        for each in read_submissions(data)
    ]


def unpredicted(data: Path) -> list[str]:
    """Measured networks whose instructions nobody could predict without them."""
    with_figure = {case.name for case in instruction_cases(data)}
    return [row["model"] for row in measured_rows(data) if row["model"] not in with_figure]


def table_of_arenas(data: Path) -> str:
    cases = arena_cases(data)
    return f"{_table(cases, 'arena')}\n\n{_summary(cases)}"


def table_of_instructions(data: Path) -> str:
    cases = instruction_cases(data)
    without = ", ".join(f"`{_short(name)}`" for name in unpredicted(data))
    return (
        f"{_table(cases, 'instructions')}\n\n{_summary(cases)} No figure without being among the"
        f" measured ones: {without}."
    )


def table_of_cores(data: Path) -> str:
    """What is carried for each core, and each submission that it comes from."""
    ratios = read_ratios(data)
    speeds = calibrate(list(read_submissions(data)), ratios)["cycles_per_instruction"]
    lines = [
        "| core | network | cycles measured | instructions predicted | ratio |",
        "|---|---|---:|---:|---:|",
    ]
    for each in read_submissions(data):
        cycles, count = each.latency_s * each.clock_hz, reference_instructions(each.network)
        cells = (
            each.core,
            each.network,
            f"{cycles:,.0f}",
            f"{count:,.0f}",
            f"{cycles / count:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    mean = statistics.geometric_mean(ratios.values())
    spread = f"{min(ratios.values()):.2f} to {max(ratios.values()):.2f} over {len(ratios)} networks"
    lines += ["", f"CMSIS-NN takes {mean:.2f} times as long on one board ({spread}). Carried:", ""]
    lines += ["| core | cycles an instruction with CMSIS-NN | error |", "|---|---:|---:|"]
    lines += [f"| {core} | {x['value']:.3f} | {x['error']:.0%} |" for core, x in speeds.items()]
    return "\n".join(lines)


def table_of_power(data: Path) -> str:
    lines = ["| board | network | measured | carried | error |", "|---|---|---:|---:|---:|"]
    for board, network, measured, carried in power_cases(data):
        error = carried / measured - 1
        lines.append(
            f"| {board} | {network} | {measured:.1f} mW | {carried:.1f} mW | {error:+.1%} |"
        )
    return "\n".join(lines)


def table_of_code(data: Path) -> str:
    facts = code_facts()
    largest = sorted(facts.operators.items(), key=lambda each: -each[1])[:5]
    named = ", ".join(f"{name} {size:,} B" for name, size in largest)
    return (
        f"{len(facts.operators)} operators were measured, and a runner without any: "
        f"{facts.base_bytes:,} B. The largest: {named}."
    )


def table_of_peer(data: Path) -> str:
    """Networks that TFLite Micro itself ran beside the model, by the kind of operator."""
    lines = [
        "| networks of | operators | networks | equal | refused by both | differ |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    groups = {
        **_families(),
        "graphs of many operators": list(random_networks(Random("page"), GROWN)),
    }
    groups["real files"] = [Asked(path.name, path.read_bytes) for path in all_models(data)]
    for name, cases in groups.items():
        with TemporaryDirectory() as folder:
            found = asked_beside(cases, Path(folder))
        differ = sum(bool(difference(each)) for each in found)
        refused = sum(each.is_refused for each in found)
        names = {use for case in cases for use in parse(case.network).operator_versions}
        counts = len(names), len(found), len(found) - refused - differ, refused, differ
        lines.append(f"| {name} | {' | '.join(f'{count:,}' for count in counts)} |")
    return "\n".join(lines)


def _families() -> dict[str, list[Asked]]:
    """Networks of one operator: a few of each, evenly over those that the sweep has."""
    groups = {}
    for name, family in FAMILIES.items():
        by_operator: dict[str, list[Asked]] = {}
        for case in family():
            by_operator.setdefault(case.operator, []).append(case)
        groups[name] = [
            case for some in by_operator.values() for case in some[:: -(-len(some) // OF_EACH)]
        ]
    return groups


TABLES: Mapping[str, Callable[[Path], str]] = {
    "arenas": table_of_arenas,
    "instructions": table_of_instructions,
    "cores": table_of_cores,
    "power": table_of_power,
    "code": table_of_code,
    "peer": table_of_peer,
}


def with_tables(page: str, data: Path) -> str:
    """The page with its computed parts computed anew."""
    return with_blocks(page, lambda name: TABLES[name](data))


def _table(cases: Sequence[Case], what: str) -> str:
    lines = [f"| network | {what} predicted | measured | error |", "|---|---:|---:|---:|"]
    lines += [
        f"| `{_short(case.name)}` | {case.predicted:,.0f} | {case.measured:,.0f} |"
        f" {case.error:+.1%} |"
        for case in cases
    ]
    return "\n".join(lines)


def _summary(cases: Sequence[Case]) -> str:
    errors = [case.error for case in cases]
    median = statistics.median(map(abs, errors))
    return (
        f"{len(cases)} networks; median error {median:.1%}, lowest {min(errors):+.1%},"
        f" highest {max(errors):+.1%}."
    )


def _short(name: str) -> str:
    return name.removesuffix(".tflite")


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(), Path(sys.argv[1])))
