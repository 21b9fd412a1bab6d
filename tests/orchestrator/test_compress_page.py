"""The tables of docs/how-to/compress.md are those that the code makes of measured figures."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.chosen_by_halves import judged_apart
from tests.benchmarks.fleet_tables import FLEET, PAGE, TABLES, VARIANT, with_tables


def file(accuracy: float, size: int, technique: str = "") -> dict[str, Any]:
    return {"accuracy": accuracy, "bytes": size, "technique": technique}


def apart(*figures: float) -> dict[str, float]:
    names = ("searched_chosen", "searched_judged", "by_hand_chosen", "by_hand_judged")
    return dict(zip(names, figures, strict=True))


BETTER = {"searched": file(0.9875, 5000, "distillation"), "by_hand": file(0.96, 3000), "gap": ""}
SAME = {"searched": file(0.99, 9000), "by_hand": file(0.99, 9000), "gap": ""}
NOBODY = {"searched": None, "by_hand": None, "gap": "no camera"}
MEASURED = {
    "searched_s": 199.6,
    "by_hand_s": 31.2,
    "trials": 24,
    "variants": 9,
    "profiles": {"b 11": SAME, "a 22": BETTER, "b 33": NOBODY, "c 44": SAME},
    "apart": {"x": apart(0.98, 0.97, 0.96, 0.96), "y": apart(1.0, 0.993, 0.978, 0.972),
              "z": apart(0.98, 0.97, 0.96, 0.96)},
}  # fmt: skip
ONE_VARIANT = {"next_cpu_s": 2.04, "next_s": 2.0, "first_s": 7.0, "peak_bytes": 1_069_461_504}


@pytest.fixture
def made(tmp_path) -> str:
    """The page, with these figures in it."""
    (tmp_path / FLEET).write_text(json.dumps(MEASURED))
    (tmp_path / VARIANT).write_text(json.dumps(ONE_VARIANT))
    return with_tables(PAGE.read_text(), tmp_path)


def rows(page: str, name: str) -> list[list[str]]:
    """The cells of a table, without its head."""
    block = re.search(rf"<!-- {name}: measured -->\n(.*?)<!-- end -->", page, re.DOTALL)
    assert block is not None
    lines = block[1].strip().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_profiles_that_get_the_same_stand_together_and_the_better_is_bold(made) -> None:
    assert rows(made, "profiles") == [
        ["a", "0.960, 3,000 B", "**0.988**, 5,000 B", "distillation"],
        ["b 11, c", "0.990, 9,000 B", "the same", "training alone"],
        ["b 33", "nothing fits", "no camera", ""],
    ]


def test_wins_ties_and_losses_are_counted(made) -> None:
    assert rows(made, "run") == [["200 s", "24", "9", "31 s", "1", "2", "0"]]
    assert rows(made, "apart") == [
        ["x, z", "0.9600 (0.9600)", "0.9700 (0.9800)"],
        ["y", "0.9720 (0.9780)", "0.9930 (1.0000)"],
        ["mean", "0.9640 (0.9660)", "0.9777 (0.9867)"],
    ]
    assert rows(made, "variant") == [["2.0 s", "2.0 s", "7.0 s", "1.07 GB"]]


def test_without_figures_the_page_stays_as_it_is(tmp_path) -> None:
    page = PAGE.read_text()
    assert with_tables(page, tmp_path) == page
    assert all(f"<!-- {name}: measured -->" in page for name in TABLES)


def test_the_pages_own_counts_are_those_of_its_rows() -> None:
    """Nobody has typed into the one table and not into the other."""
    page = PAGE.read_text()
    served = [row for row in rows(page, "profiles") if row[1] != "nothing fits"]
    [[_, trials, released, _, *counts]] = rows(page, "run")
    assert int(trials) >= int(released) > 0
    better = sum(len(names.split(", ")) for names, _, ours, _ in served if "**" in ours)
    same = sum(len(names.split(", ")) for names, _, ours, _ in served if ours == "the same")
    everybody = sum(len(names.split(", ")) for names, *_ in served)
    assert list(map(int, counts)) == [better, same, everybody - better - same]


def test_a_choice_is_judged_by_images_that_did_not_make_it() -> None:
    rng = np.random.default_rng(0)
    one = rng.random(400) < 0.9
    chosen, judged = judged_apart([one])
    assert chosen == pytest.approx(one.mean(), abs=0.01) == judged
    equally_good = [rng.random(400) < 0.9 for _ in range(30)]
    chosen, judged = judged_apart(equally_good)
    means = [each.mean() for each in equally_good]
    assert chosen > max(means) > judged > min(means)
    truly_better = np.ones(400, bool)
    assert judged_apart([*equally_good, truly_better]) == (1.0, 1.0)
