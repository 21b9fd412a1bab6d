"""Where the random choices of the fault tests come from: one number, said where a test fails."""

from __future__ import annotations

import os
from collections.abc import Sequence
from random import Random
from typing import TypeVar

VARIABLE = "TINYFLEET_TEST_SEED"
SEED = int(os.environ.get(VARIABLE, "1"))

T = TypeVar("T")


def drawn(purpose: str) -> Random:
    """The source of one purpose's choices; another purpose's do not move them."""
    return Random(f"{SEED} {purpose}")


def sample(purpose: str, choices: Sequence[T], count: int) -> list[T]:
    """So many of the choices, in their own order."""
    positions = drawn(purpose).sample(range(len(choices)), min(count, len(choices)))
    return [choices[position] for position in sorted(positions)]


def how_to_repeat() -> str:
    """What to set for the same choices again."""
    return f"{VARIABLE}={SEED}"
