"""Bytes of program that a runtime's operators link: facts measured once, carried as data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FACTS = Path(__file__).with_name("operator_code_bytes.json")


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What was measured, where: text bytes of each operator, and of a runner without any."""

    source: str
    base_bytes: int
    operators: Mapping[str, int]


@cache
def code_facts() -> CodeFacts:
    """The facts that this product carries."""
    facts = json.loads(_FACTS.read_text(encoding="utf-8"))
    return CodeFacts(facts["source"], facts["base_bytes"], facts["operators"])


def runtime_code_bytes(operators: Iterable[str]) -> int | None:
    """An upper bound of the program bytes of TFLite Micro with these operators on a Cortex-M4.

    Operators share code, so the sum over them is more than a linker makes of it. None where one of
    them was not measured.
    """
    facts = code_facts()
    names = set(operators)
    if not names <= facts.operators.keys():
        return None
    return facts.base_bytes + sum(facts.operators[name] for name in names)
