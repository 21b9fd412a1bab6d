"""What networks really take of an arena, where somebody measured it: truth, not reckoning.

`measured_arenas.json` holds figures of TensorFlow Lite Micro on a Cortex-M4F, by the artifact's
digest, with their source. They hold for the kernels that they were measured with.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

FACTS = Path(__file__).with_name("measured_arenas.json")
EVERY_DEVICE = ""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class FactsError(ValueError):
    """Figures that cannot be read; the message says what is wrong."""


@cache
def measured_arenas(kernels: str) -> Mapping[str, int]:
    """Bytes of arena by hex digest, as measured under these kernels; empty where nobody did."""
    facts = json.loads(FACTS.read_text())
    arenas: dict[str, int] = facts["arena_min_bytes"] if facts["kernels"] == kernels else {}
    return arenas


def read_arenas(path: Path) -> Mapping[str, int]:
    """A file of one's own, `{"SHA-256": bytes}`, which holds whatever the kernels; FactsError."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FactsError(str(error)) from error
    if not isinstance(found, dict) or not all(map(_is_figure, found.items())):
        raise FactsError("it must map SHA-256 digests, 64 lower-case hex digits, to bytes")
    return found


def read_errors(texts: Iterable[str]) -> Mapping[str, float]:
    """Device to factor of `FACTOR` (for every device) and `DEVICE=FACTOR`; FactsError."""
    errors: dict[str, float] = {}
    for text in texts:
        device, _, factor = text.rpartition("=")
        errors[device or EVERY_DEVICE] = _factor(factor)
    return errors


def error_of(device: str, errors: Mapping[str, float]) -> float:
    """The factor of one device: its own, else everybody's, else 1."""
    return errors.get(device, errors.get(EVERY_DEVICE, 1.0))


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise FactsError(f"{text!r} is no factor: 1.1 is a tenth more than reckoned")
    return factor


def _is_figure(entry: tuple[str, Any]) -> bool:
    digest, size = entry
    is_count = isinstance(size, int) and not isinstance(size, bool)
    return bool(_DIGEST.fullmatch(digest)) and is_count and size > 0
