"""The tables of docs/how-to/compress.md, from what `make bench` measured.

    python -m tests.benchmarks.fleet_tables

writes them into the page anew: no figure there is typed in.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from tests.benchmarks.conftest import FOLDER
from tests.benchmarks.page_tables import head, line, with_blocks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "compress.md"
FLEET = "test_the_demonstrations_fleet.json"
VARIANT = "test_one_variant_training_aside.json"

Row = Mapping[str, Any]


def profiles(measured: Row) -> str:
    """Each profile with what it gets of either release; those that get the same stand together."""
    boards = Counter(_board(name) for name in measured["profiles"])
    alike: dict[str, list[str]] = defaultdict(list)
    for name, row in sorted(measured["profiles"].items(), key=_smallest_first):
        alike[_served(row)].append(_board(name) if boards[_board(name)] == 1 else name)
    lines = head("profiles", "hand-made", "searched", "by")
    lines += [line(", ".join(names), cells) for cells, names in alike.items()]
    return "\n".join(lines)


def run(measured: Row) -> str:
    """What either took, and how often the search is better, the same or worse."""
    served = [row for row in measured["profiles"].values() if row["by_hand"] is not None]
    sides = Counter(_side(row) for row in served)
    lines = head("search", "trials", "released", "hand-made", "better", "the same", "worse")
    took = [f"{measured[name]:.0f} s" for name in ("searched_s", "by_hand_s")]
    counts = [sides["better"], sides["same"], sides["worse"]]
    lines.append(line(took[0], measured["trials"], measured["variants"], took[1], *counts))
    return "\n".join(lines)


def apart(measured: Row) -> str:
    """What each budget's choice is worth on images that did not choose it (that did)."""
    alike: dict[str, list[str]] = defaultdict(list)
    for names, row in sorted(measured["apart"].items(), key=lambda item: item[1]["by_hand_judged"]):
        alike[_apart(row)].append(names)
    lines = head("devices", "hand-made", "searched")
    lines += [line(", ".join(names), cells) for cells, names in alike.items()]
    rows = list(measured["apart"].values())
    lines.append(line("mean", _apart({name: fmean(row[name] for row in rows) for name in rows[0]})))
    return "\n".join(lines)


def variant(measured: Row) -> str:
    lines = head("processor time", "wall time", "with all imports", "memory at most")
    times = [f"{measured[name]:.1f} s" for name in ("next_cpu_s", "next_s", "first_s")]
    lines.append(line(*times, f"{measured['peak_bytes'] / 1e9:.2f} GB"))
    return "\n".join(lines)


TABLES: Mapping[str, tuple[str, Callable[[Row], str]]] = {
    "profiles": (FLEET, profiles),
    "run": (FLEET, run),
    "apart": (FLEET, apart),
    "variant": (VARIANT, variant),
}


def with_tables(page: str, folder: Path) -> str:
    """The page, each block whose figures are in the folder made anew."""

    def made(name: str) -> str | None:
        file, table = TABLES[name]
        path = folder / file
        return table(json.loads(path.read_text())) if path.exists() else None

    return with_blocks(page, made)


def _smallest_first(item: tuple[str, Row]) -> tuple[bool, int, str]:
    name, row = item
    found = row["searched"] or row["by_hand"]
    return found is None, 0 if found is None else found["bytes"], name


def _served(row: Row) -> str:
    """The cells behind a profile's name."""
    ours, theirs = row["searched"], row["by_hand"]
    if ours is None:
        return " | ".join((_file(theirs), row["gap"], ""))
    mine = "the same" if ours == theirs else _file(ours, is_better=_side(row) == "better")
    return " | ".join((_file(theirs), mine, ours["technique"] or "training alone"))


def _apart(row: Row) -> str:
    return " | ".join(
        f"{row[f'{side}_judged']:.4f} ({row[f'{side}_chosen']:.4f})"
        for side in ("by_hand", "searched")
    )


def _side(row: Row) -> str:
    ours, theirs = row["searched"], row["by_hand"]
    if ours is None or ours["accuracy"] < theirs["accuracy"]:
        return "worse"
    return "better" if ours["accuracy"] > theirs["accuracy"] else "same"


def _file(found: Row | None, *, is_better: bool = False) -> str:
    if found is None:
        return "nothing fits"
    accuracy = f"{found['accuracy']:.3f}"
    return f"{f'**{accuracy}**' if is_better else accuracy}, {found['bytes']:,} B"


def _board(name: str) -> str:
    return name.partition(" ")[0]


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(), FOLDER))
