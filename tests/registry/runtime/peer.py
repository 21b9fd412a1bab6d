"""TensorFlow Lite Micro itself, on this machine: what it allocates for a network."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

MISSING = "tflite-micro is not installed: its wheel is for Python 3.11 on 64-bit Linux for x86"
_ROOT = Path(__file__).resolve().parents[3]
_PATIENCE_S = 900


def is_installed() -> bool:
    """Whether the runtime can be asked."""
    return find_spec("tflite_micro") is not None


@dataclass(frozen=True, slots=True)
class Allocated:
    """What the runtime took for a network, in bytes, or why it refused it.

    `enough` says whether it ran in the arena predicted, `less_is_enough` whether in 16 bytes less.
    """

    head: int = 0
    tail: int = 0
    refused: str = ""
    enough: bool | None = None
    less_is_enough: bool | None = None
    kinds: dict[str, int] = field(default_factory=dict)


def allocate(
    folder: Path, networks: Sequence[bytes], predicted: Sequence[int | None]
) -> list[Allocated]:
    """Each network run by the runtime, in its own arena and in the one predicted for it.

    A network that ends the process is taken for refused, and the next process takes the rest.
    """
    lines = []
    for number, (network, size) in enumerate(zip(networks, predicted, strict=True)):
        path = folder / f"{number}.tflite"
        path.write_bytes(network)
        lines.append(f"{path} {size or 0}\n")
    found: list[Allocated] = []
    while len(found) < len(lines):
        found += _in_one_process(lines[len(found) :])
    return found


def _in_one_process(lines: Sequence[str]) -> list[Allocated]:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.registry.runtime.child"],
        input="".join(lines),
        capture_output=True,
        text=True,
        cwd=_ROOT,
        timeout=_PATIENCE_S,
        check=False,
    )
    found = [_allocated(json.loads(line)) for line in ended.stdout.splitlines()]
    if len(found) < len(lines):
        found.append(Allocated(refused=f"the process ended with {ended.returncode}"))
    return found


def _allocated(line: dict[str, object]) -> Allocated:
    line.pop("total", None)
    return Allocated(**line)  # type: ignore[arg-type]
