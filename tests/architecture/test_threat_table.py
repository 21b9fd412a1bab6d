"""Each attack in docs/threat-model.md names a test that exists; each such test has a row."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
THREATS = "tests/device/test_threats.py"
MUST_BE_THERE = {
    "arbitrary model",
    "rollback",
    "freeze",
    "mix-and-match",
    "wrong target",
    "fast-forward",
    "endless data",
    "replay",
    "key compromise",
}


def rows() -> list[list[str]]:
    """The cells of the table under *Attacks on updates*, without its head."""
    page = (ROOT / "docs" / "threat-model.md").read_text()
    section = page.split("\n## Attacks on updates\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_every_attack_says_what_is_promised_and_names_its_test(row):
    assert len(row) == 5
    assert all(row)
    path, _, name = row[-1].strip("`").partition("::")
    assert name in functions_of(path)


def test_the_attacks_that_others_name_are_there():
    assert {row[0] for row in rows()} >= MUST_BE_THERE


def test_no_threat_is_tested_without_a_row():
    named = {row[-1].strip("`").partition("::")[2] for row in rows() if THREATS in row[-1]}
    assert named == functions_of(THREATS)
