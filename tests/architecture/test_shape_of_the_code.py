"""The sizes that keep the code readable, measured on every file of the product."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ontology", "registry", "orchestrator", "device_firmware_sim", "deploy")
VAGUE = {"helper", "helpers", "util", "utils", "manager", "handler", "misc", "common"}


def product_files() -> list[Path]:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return [path for path in files if "migrations" not in path.parts]


def functions() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    found = []
    for path in product_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append((f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node))
    return found


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_files_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in product_files()
    }
    assert {name: lines for name, lines in long.items() if lines > 300} == {}


def test_functions_are_short() -> None:
    lengths = {name: length(node) for name, node in functions()}
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}
    assert statistics.median(lengths.values()) < 12
    assert sum(lines <= 30 for lines in lengths.values()) >= 0.9 * len(lengths)


def test_functions_say_what_they_return() -> None:
    assert [name for name, node in functions() if node.returns is None] == []


@pytest.mark.parametrize("path", product_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_names_say_what_is_inside(path: Path) -> None:
    assert not VAGUE & set(path.stem.split("_"))
