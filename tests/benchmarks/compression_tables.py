"""The tables of docs/compression.md, from what `make bench` measured.

    python -m tests.benchmarks.compression_tables

writes them into the page anew: no figure there is typed in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from tests.benchmarks.conftest import FOLDER
from tests.benchmarks.page_tables import head, line, with_blocks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compression.md"

Row = Mapping[str, Any]


def sap(figures: Row) -> str:
    lines = head("seed", "gamma", "rounds", "weights", "dense", "SAP", "one-shot", "turn", "lost")
    for row in figures["seeds"]:
        cells = [
            row["seed"],
            f"{row['gamma']:.2f}",
            len(row["rounds"]) - 1,
            f"{row['density']:.2%}",
        ]
        cells += [_3(row[name]) for name in ("dense", "accuracy", "one_shot")]
        lines.append(line(*cells, row["turned_in"], row["collapsed_in"] or "not seen"))
    means = [_3(_mean(figures["seeds"], name)) for name in ("dense", "accuracy", "one_shot")]
    lines.append(line("mean", "", "", "", *means, "", ""))
    return "\n".join(lines)


def adapt_pruner(figures: Row) -> str:
    names = ("dense", "adaptive", "adaptive_parameters", "uniform", "uniform_parameters")
    lines = head("seed", "dense", "adaptive", "parameters left", "uniform", "parameters left")
    for row in figures["seeds"]:
        lines.append(line(row["seed"], *(_3(row[name]) for name in names)))
    lines.append(line("mean", *(_3(_mean(figures["seeds"], name)) for name in names)))
    return "\n".join(lines)


def distillation(figures: Row) -> str:
    names = ("teacher", "sparse", "dense", "labels_only")
    rows = figures["seeds"]
    lines = head("seed", "teacher", f"K = {figures['kept']}", "all ten", "labels only")
    lines += [line(row["seed"], *(_3(row[name]) for name in names)) for row in rows]
    lines.append(line("mean", *(_3(_mean(rows, name)) for name in names)))
    sizes = (f"{_mean(rows, name):g}" for name in ("sparse_bytes", "dense_bytes"))
    lines.append(line("bytes a sample and epoch", "", *sizes, ""))
    return "\n".join(lines)


def int8(figures: Row) -> str:
    names = ("network", "balanced", "balanced_trained", "unbalanced", "unbalanced_trained")
    factor = f"out of balance by {figures['unbalanced_by']:g}"
    lines = head("seed", "network", "int8 file", "trained for it", factor, "trained for it")
    for row in figures["seeds"]:
        shown = ("not needed" if row[name] is None else _3(row[name]) for name in names)
        lines.append(line(row["seed"], *shown))
    return "\n".join(lines)


def supernet(figures: Row) -> str:
    banks = range(len(figures["seeds"][0]["adjacent"]))
    lines = head("seed", "sampling", *(f"bank {bank + 1}" for bank in banks), "banks", "subnets")
    for row in figures["seeds"]:
        for name in ("adjacent", "uniform"):
            cells = [*row[name], fmean(row[name]), row[f"{name}_all"]]
            lines.append(line(row["seed"], name, *map(_3, cells)))
    return "\n".join([*lines, "", *_served(figures["seeds"][0]["served"])])


def _served(found: Sequence[Row]) -> list[str]:
    lines = head("devices", "subnet", "file / slot", "arena / budget", "predicted ms", "accuracy")
    for row in found:
        told = {reason["constraint"]: reason for reason in row["reasons"]}
        sizes = (f"{told[name]['need']:,} / {told[name]['have']:,}" for name in ("flash", "ram"))
        width = " x ".join(map(str, row["subnet"])) if row["subnet"] else "none; the least needs"
        time = f"{told['latency']['have']:.2f}" if "latency" in told else "not known"
        accuracy = _3(row["accuracy"]) if row["subnet"] else ""
        lines.append(line(row["devices"], width, *sizes, time, accuracy))
    return lines


TABLES: dict[str, Callable[[Row], str]] = {
    "sap": sap,
    "adapt_pruner": adapt_pruner,
    "distillation": distillation,
    "int8": int8,
    "supernet": supernet,
}


def main() -> None:
    """Replace each block whose method was measured."""
    measured = json.loads((FOLDER / "compression.json").read_text())

    def made(name: str) -> str | None:
        return TABLES[name](measured[name]) if name in measured else None

    PAGE.write_text(with_blocks(PAGE.read_text(), made))


def _mean(rows: Sequence[Row], name: str) -> float:
    return fmean(row[name] for row in rows)


def _3(value: float) -> str:
    return f"{value:.3f}"


if __name__ == "__main__":
    main()
