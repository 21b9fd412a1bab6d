"""The experiment's cells as text: means over seeds beside the worst seed, wins and losses alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

Row = Mapping[str, Any]
Groups = dict[tuple[Any, ...], list[Row]]

_MIN_FALL = 0.15
_MIN_REGAINED = 0.5


def print_table(cells: Sequence[Row]) -> None:
    """One line for each drift and variant; each rule at the rate of its best mean."""
    table = Table("drift", "variant", "before", "drifted", "rule", "rate", "N", "adapted", "worst")
    for (drift, variant), rows in _by(cells, "drift", "variant").items():
        for (rule,), ruled in _by(rows, "rule").items():
            settings = _by(ruled, "learning_rate", "samples")
            (rate, samples), best = max(settings.items(), key=lambda item: _adapted(item[1]))
            table.add_row(
                drift,
                variant,
                f"{fmean(row['before'] for row in best):.3f}",
                f"{fmean(row['drifted'] for row in best):.3f}",
                rule,
                f"{rate:g}",
                str(samples),
                f"{_adapted(best):.3f}",
                f"{min(row['adapted'] for row in best):.3f}",
            )
    Console().print(table)


def print_losses(cells: Iterable[Row]) -> None:
    """Where the fall is too small to matter, or less than half of it comes back."""
    table = Table("drift", "rule", "rate", "N", "cells", "small fall", "under half", "worse")
    groups = _by(cells, "drift", "rule", "learning_rate", "samples")
    for (drift, rule, rate, samples), rows in groups.items():
        table.add_row(
            drift,
            rule,
            f"{rate:g}",
            str(samples),
            str(len(rows)),
            _count(rows, lambda row: row["before"] - row["drifted"] < _MIN_FALL),
            _count(rows, lambda row: regained(row) < _MIN_REGAINED),
            _count(rows, lambda row: row["adapted"] < row["drifted"]),
        )
    Console().print(table)


def regained(row: Row) -> float:
    """The share of the fall that came back; 1 where nothing fell."""
    fall = row["before"] - row["drifted"]
    return 1.0 if fall <= 0 else float((row["adapted"] - row["drifted"]) / fall)


def _by(cells: Iterable[Row], *keys: str) -> Groups:
    groups: Groups = defaultdict(list)
    for cell in cells:
        groups[tuple(cell[key] for key in keys)].append(cell)
    return groups


def _adapted(rows: Sequence[Row]) -> float:
    return fmean(row["adapted"] for row in rows)


def _count(rows: Sequence[Row], holds: Callable[[Row], bool]) -> str:
    return str(sum(1 for row in rows if holds(row)))
