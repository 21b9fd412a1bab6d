"""The tables of docs/zoo.md: what the zoo holds, and what `make bench` measured of it.

    python -m tests.benchmarks.zoo_tables

writes the page anew from the code and from the figures under var/bench: none there is typed in.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from orchestrator.compression.zoo.entries import ZOO
from orchestrator.compression.zoo.entry import ZooEntry, parameters
from tests.benchmarks.conftest import FOLDER
from tests.benchmarks.page_tables import line, with_blocks
from tests.benchmarks.zoo_bars import LEAST

PAGE = Path(__file__).resolve().parents[2] / "docs" / "zoo.md"

_HEADER_LINES = 2

Row = Mapping[str, Any]


def table_of_networks() -> str:
    lines = ["| network | task | source | parameters | learns |", "|---|---|---|---:|---|"]
    lines += [line(*_of_entry(entry)) for entry in ZOO.values()]
    return "\n".join(lines)


def table_of_data() -> str:
    lines = ["| data | folder | held out by | licence | source |", "|---|---|---|---|---|"]
    for data in {entry.data.name: entry.data for entry in ZOO.values()}.values():
        folder = f"`{data.folder}`" if data.folder else "none"
        lines.append(line(f"`{data.name}`", folder, data.held_out_by, data.licence, data.source))
    return "\n".join(lines)


def table_of_scores(folder: Path) -> str:
    lines = [
        "| network | seeds | measure | float | int8 | worst int8 | bar | file | arena | training |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in LEAST:
        found = _read(folder, f"test_a_network_of_the_zoo[{name}]")
        if found is not None:
            lines.append(_scores(name, found["cells"], f"{LEAST[name]:.2f}"))
    gaze = _read(folder, "test_gaze_distilled_then_personal")
    if gaze is not None:
        lines.append(_scores("dft-gaze", gaze["cells"], ""))
    return "\n".join(lines)


def table_of_speakers(folder: Path) -> str:
    lines = [
        "| network | recordings held out | a speaker held out | worst |",
        "|---|---:|---:|---:|",
    ]
    for name in ("ds-cnn", "tiny-transformer"):
        heard = _read(folder, f"test_a_network_of_the_zoo[{name}]")
        unheard = _read(folder, f"test_a_speaker_who_was_never_heard[{name}]")
        if heard is not None and unheard is not None:
            known = fmean(cell["float_score"] for cell in heard["cells"])
            cells = (f"`{name}`", *map(_share, (known, unheard["mean"], min(unheard["scores"]))))
            lines.append(line(*cells))
    return "\n".join(lines)


def table_of_gaze(folder: Path) -> str:
    lines = [
        "| seed | teacher | student | before | after five images | lowered by | users it harmed |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    found = _read(folder, "test_gaze_distilled_then_personal")
    for row in found["gaze"] if found is not None else ():
        kinds = ("teacher", "student", "before", "after")
        degrees = [f"{row[f'{kind}_degrees']:.1f}°" for kind in kinds]
        lowered = 1 - row["after_degrees"] / row["before_degrees"]
        harmed = f"{row['users_worse']} of {row['users']}"
        lines.append(line(row["seed"], *degrees, f"{lowered:.0%}", harmed))
    return "\n".join(lines)


COMPUTED: Mapping[str, Callable[[], str]] = {
    "networks": table_of_networks,
    "data": table_of_data,
}
MEASURED: Mapping[str, Callable[[Path], str]] = {
    "scores": table_of_scores,
    "speakers": table_of_speakers,
    "gaze": table_of_gaze,
}


def with_tables(page: str, folder: Path | None) -> str:
    """The page with its computed parts computed anew, and its measured ones where a folder is."""

    def made(name: str) -> str | None:
        if name in COMPUTED:
            return COMPUTED[name]()
        return None if folder is None else _or_nothing(MEASURED[name](folder))

    return with_blocks(page, made)


def _or_nothing(table: str) -> str:
    """The table, unless it has no row."""
    return (
        table if len(table.splitlines()) > _HEADER_LINES else "Not measured yet; `make bench` does."
    )


def _of_entry(entry: ZooEntry) -> Sequence[str]:
    size = f"{parameters(entry.build(1.0)):,}"
    return f"`{entry.name}`", entry.task, entry.source, size, "yes" if entry.learns else "no"


def _scores(name: str, cells: Sequence[Row], bar: str) -> str:
    int8 = [cell["int8_score"] for cell in cells]
    arenas = {cell["arena_bytes"] for cell in cells}
    return line(
        f"`{name}`",
        len(cells),
        cells[0]["measure"],
        _share(fmean(cell["float_score"] for cell in cells)),
        _share(fmean(int8)),
        _share(min(int8)),
        bar,
        f"{max(cell['file_bytes'] for cell in cells):,} B",
        "unknown" if None in arenas else f"{max(arenas):,} B",
        f"{fmean(cell['training_s'] for cell in cells):.0f} s",
    )


def _share(value: float) -> str:
    return f"{value:.3f}"


def _read(folder: Path, name: str) -> Any:
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    PAGE.write_text(with_tables(PAGE.read_text(), where))
